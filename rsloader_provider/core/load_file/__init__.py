"""Load files as text: read, explained where they are wrong, written and changed in place."""
