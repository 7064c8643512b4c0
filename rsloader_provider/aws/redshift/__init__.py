"""Sessions of Redshift: over the driver and over the Data API."""
