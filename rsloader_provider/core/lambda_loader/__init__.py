"""What AWS's Lambda-based loader kept, and what it means for our loads."""
