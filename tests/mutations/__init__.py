"""The mutation check: take one safeguard after the other out of the loader, and see that something notices.

`safeguards` lists them, each with what must notice that it is missing (`judges`): cells of the crash matrix, a scenario
of `interleavings`, or tests by name. They stand in `loading`, `asking` and `reading`, by what they guard. Each is
played on a copy of the package in which a few texts are replaced. One that nobody misses shows a test that is missing,
or a safeguard that is not needed. `players` play, and `__main__` writes docs/crash-matrix.md. A new safeguard comes
with its place in a list: `make mutation-check MUTATIONS="--only 'a part of its name'"` plays it, and writes its row.
"""
