"""S3, DynamoDB and Redshift compared for one load, and what can be put right."""
