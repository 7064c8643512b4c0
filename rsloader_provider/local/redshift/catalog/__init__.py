"""The system catalog, the views of loads and queries, and the users."""
