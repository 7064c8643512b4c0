"""What the loader says to Redshift, as values: names, statements, modes and keys."""
