"""Who owns an object when the sources of several loads overlap, or one load writes manifests below another's source."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from rsloader_provider.core.load_file import LoadFileMistake
from rsloader_provider.core.sources import SourcePattern
from rsloader_provider.loader.load_file_claims import FileClaims


@dataclass(frozen=True)
class _Claim:
    """A pattern of one file: its source, or where it writes."""

    pattern: SourcePattern
    owner: FileClaims
    is_source: bool


def settle_overlaps(
    files: list[FileClaims],
) -> tuple[dict[str, set[SourcePattern]], dict[str, list[LoadFileMistake]]]:
    """Decide, for each file, what its load must leave to others and where nobody can tell.

    Only a file without mistakes of its own is decided about. A broken one still keeps what it owns.

    Returns:
        Patterns to exclude and mistakes, by file; both give something empty for any other key.
    """
    excludes: dict[str, set[SourcePattern]] = defaultdict(set)
    mistakes: dict[str, list[LoadFileMistake]] = defaultdict(list)
    for mine, other in _overlapping(files):
        if mine.owner.config is None or _gives_way(mine.owner, other):
            continue
        inside, around = mine.pattern.covers(other.pattern), other.pattern.covers(mine.pattern)
        if other.is_source and around and not inside:
            continue
        if (inside or not other.is_source) and not around:
            excludes[mine.owner.file].add(other.pattern)
        elif other.owner.config is None:
            continue
        elif not other.is_source:
            mistakes[mine.owner.file].append(_under_manifests(mine, other))
        elif not _gives_way(other.owner, mine):
            mistakes[mine.owner.file].append(_undecided(mine, other, same=inside))
    return excludes, mistakes


def _overlapping(files: list[FileClaims]) -> Iterator[tuple[_Claim, _Claim]]:
    """Yield each source with each pattern of another load that overlaps it."""
    claims = [_Claim(each.source, each, True) for each in files if each.source]
    claims += [_Claim(pattern, each, False) for each in files for pattern in dict.fromkeys(each.written)]
    # Overlapping patterns begin alike: one's literal prefix begins with the other's. Sorted, they are close.
    claims.sort(key=lambda claim: (claim.pattern.bucket, claim.pattern.literal_prefix))
    for position, first in enumerate(claims):
        for second in claims[position + 1 :]:
            if second.pattern.bucket != first.pattern.bucket:
                break
            if not second.pattern.literal_prefix.startswith(first.pattern.literal_prefix):
                break
            if not (first.is_source or second.is_source) or _same_load(first.owner, second.owner):
                continue
            if first.pattern.overlaps(second.pattern):
                yield from ((one, two) for one, two in ((first, second), (second, first)) if one.is_source)


def _same_load(one: FileClaims, other: FileClaims) -> bool:
    """Tell whether two claims are of one load; two files of one name are a mistake already."""
    return one.file == other.file or (one.declared is not None and one.declared == other.declared)


def _gives_way(file: FileClaims, other: _Claim) -> bool:
    return file.config is not None and any(each.covers(other.pattern) for each in file.config.exclude)


def _undecided(mine: _Claim, other: _Claim, *, same: bool) -> LoadFileMistake:
    how = "is also that" if same else "overlaps the one"
    return LoadFileMistake(
        mine.owner.file,
        mine.owner.line_of("source"),
        f"the source {how} of load {other.owner.guessed!r} ({_place(other.owner, 'source')}): '{other.pattern}'.",
        "Make one lie below the other, which then leaves it alone; or list one under 'exclude' of the other.",
    )


def _under_manifests(mine: _Claim, other: _Claim) -> LoadFileMistake:
    return LoadFileMistake(
        mine.owner.file,
        mine.owner.line_of("source"),
        f"the source lies under '{other.pattern}', where load {other.owner.guessed!r} writes manifests "
        f"({_place(other.owner, 'manifests')}).",
        "Let that load write its manifests elsewhere.",
    )


def _place(file: FileClaims, key: str) -> str:
    return f"{file.file}:{file.line_of(key)}"
