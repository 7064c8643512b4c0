"""DynamoDB: moto's, made atomic, and its write units."""
