"""COPY: its statement, the objects it reads, and the records it takes or refuses."""
