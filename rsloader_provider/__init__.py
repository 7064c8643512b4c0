"""Loads files from S3 into Amazon Redshift on Apache Airflow, every object exactly once."""

__version__ = "0.1.0"
