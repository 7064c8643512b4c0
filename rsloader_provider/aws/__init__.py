"""Where a load is kept: S3, DynamoDB, SNS and Redshift behind the loader's ports."""
