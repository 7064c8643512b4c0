"""Which load owns an object when sources overlap, or when one load writes manifests below another's source."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, permutations, product

from rsloader_provider.core.config.sources import SourcePattern
from rsloader_provider.core.load_file.reading import LoadFileMistake
from rsloader_provider.loader.load_files.one_file import ReadFile

_Kind = tuple[SourcePattern, bool]
"""A pattern, and whether it is a source."""


@dataclass(frozen=True)
class _OwnedPattern:
    """A pattern that one file names: one of its sources, or a prefix that it writes under."""

    pattern: SourcePattern
    owner: ReadFile
    is_source: bool


def settle_overlaps(
    files: list[ReadFile],
) -> tuple[dict[str, set[SourcePattern]], dict[str, list[LoadFileMistake]]]:
    """Decide, for each file, what its load must leave to others, and where the owner is not clear.

    Decisions are made only for files without mistakes. A broken file still keeps what it owns.

    Returns:
        Patterns to exclude and mistakes, by file; both give an empty value for any other key.
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


def _overlapping(files: list[ReadFile]) -> Iterator[tuple[_OwnedPattern, _OwnedPattern]]:
    """Yield each source with each pattern of another load that overlaps it."""
    # Many loads write their manifests under one prefix: equal patterns are compared once.
    alike: dict[_Kind, list[_OwnedPattern]] = defaultdict(list)
    for each in files:
        for pattern in dict.fromkeys(each.written):
            alike[pattern, False].append(_OwnedPattern(pattern, each, is_source=False))
        for source in dict.fromkeys(each.sources):
            alike[source, True].append(_OwnedPattern(source, each, is_source=True))
    for first, second in _near(sorted(alike, key=lambda key: (key[0].bucket, key[0].literal_prefix))):
        for one, two in product(alike[first], alike[second]):
            if not _same_load(one.owner, two.owner):
                yield from ((mine, other) for mine, other in ((one, two), (two, one)) if mine.is_source)
    for (_, is_source), equal in alike.items():
        if is_source:
            yield from ((one, two) for one, two in permutations(equal, 2) if not _same_load(one.owner, two.owner))


def _near(keys: list[_Kind]) -> Iterator[tuple[_Kind, _Kind]]:
    """Yield each two patterns that overlap and of which at least one is a source.

    The literal prefixes of overlapping patterns begin alike: one begins with the other. Sorted, they are close.
    """
    for position, first in enumerate(keys):
        bucket, prefix = first[0].bucket, first[0].literal_prefix
        for second in islice(keys, position + 1, None):
            if second[0].bucket != bucket or not second[0].literal_prefix.startswith(prefix):
                break
            if (first[1] or second[1]) and first[0].overlaps(second[0]):
                yield first, second


def _same_load(one: ReadFile, other: ReadFile) -> bool:
    """Tell whether two files declare one load. Two such files are a mistake already."""
    return one.file == other.file or (one.declared is not None and one.declared == other.declared)


def _gives_way(file: ReadFile, other: _OwnedPattern) -> bool:
    return file.config is not None and any(each.covers(other.pattern) for each in file.config.exclude)


def _undecided(mine: _OwnedPattern, other: _OwnedPattern, *, same: bool) -> LoadFileMistake:
    how = "is the same as the one" if same else "overlaps the one"
    where = f"{other.owner.file}:{other.owner.line_of_source(other.pattern)}"
    return LoadFileMistake(
        mine.owner.file,
        mine.owner.line_of_source(mine.pattern),
        f"the source {how} of load {other.owner.guessed!r} ({where}): '{other.pattern}'.",
        "Put one below the other, which then leaves it alone; or list one under 'exclude' of the other load.",
    )


def _under_manifests(mine: _OwnedPattern, other: _OwnedPattern) -> LoadFileMistake:
    return LoadFileMistake(
        mine.owner.file,
        mine.owner.line_of_source(mine.pattern),
        f"the source lies under '{other.pattern}', where load {other.owner.guessed!r} writes manifests "
        f"({other.owner.file}:{other.owner.line_of('manifests')}).",
        "Choose another prefix for the manifests of that load.",
    )
