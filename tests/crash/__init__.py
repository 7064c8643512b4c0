"""The crash matrix: the loader is stopped at every step, taken up again in every way, and must have loaded once.

`cells` says what is played and `play` plays one cell, on a `scene` of its own and with `worker` processes that stop
where they are told; `outcomes` and `checks` say what must come of it. `races` are what a killed process does not make,
`stories` what people do after a crash, and `commands` what becomes of their commands when these are killed. A `lane` is
a process that plays them one after the other. `matrix` plays all cells and stories and writes docs/crash-matrix.md
(`report`); `tests/mutations` plays some of them on copies of the loader that lack a safeguard.
"""
