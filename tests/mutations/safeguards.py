"""All safeguards of the loader, each with a copy of the loader that lacks it, and with what must notice that."""

from collections.abc import Sequence

from mutations.asking import ASKING
from mutations.judges import Safeguard
from mutations.loading import LOADING
from mutations.reading import READING

SAFEGUARDS: Sequence[Safeguard] = (*LOADING, *ASKING, *READING)
"""All of them, as docs/crash-matrix.md lists them."""
