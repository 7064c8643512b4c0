"""Redshift's control plane and its Data API."""
