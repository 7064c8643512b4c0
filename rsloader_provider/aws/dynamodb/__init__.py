"""The ledger and the Lambda loader's tables in DynamoDB."""
