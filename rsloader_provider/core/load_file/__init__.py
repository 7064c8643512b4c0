"""Load files as text: read, checked with a hint for each mistake, written, and changed in place."""
