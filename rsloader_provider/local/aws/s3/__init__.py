"""S3: listings, signatures and objects that tests put in at once."""
