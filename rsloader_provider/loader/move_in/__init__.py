"""What moves over from AWS's Lambda-based loader."""
