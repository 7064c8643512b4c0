"""The demo: the sample on the local stack, and what a person sees of it."""
