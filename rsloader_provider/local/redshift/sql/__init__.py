"""Redshift's SQL in PostgreSQL's words."""
