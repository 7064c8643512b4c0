"""What a person asks of a load."""
