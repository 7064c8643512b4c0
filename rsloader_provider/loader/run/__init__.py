"""What the three tasks of a load do, in their order: discover, buffer, load."""
