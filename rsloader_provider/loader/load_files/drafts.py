"""The effect on its folder of a load file that is not written yet; and writing it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.load_file.reading import LoadFileMistake, declared_name, read_load_file
from rsloader_provider.loader.load_files.folder import LoadFolder, read_load_folder


@dataclass(frozen=True)
class DraftEffect:
    """What a folder would be with a draft in it.

    Attributes:
        mistakes: What would be wrong with the draft, and with other files because of it. Mistakes that other files
            have anyway are not among them.
        handovers: Sentences on prefixes whose objects would belong to another load than before, or which the draft's
            load would leave to another load.
    """

    mistakes: tuple[LoadFileMistake, ...]
    handovers: tuple[str, ...]


def effect_of_draft(folder: Path, file: str, text: str) -> DraftEffect:
    """Check a load file's text together with all others of its folder, without writing it.

    Args:
        folder: The folder of load files.
        file: The file's path below it; the file may exist or not.
        text: What it would hold.

    Raises:
        ConfigurationError: There is no such folder.
    """
    before, after = read_load_folder(folder), read_load_folder(folder, {file: text})
    known = {mistake for mistake in before.mistakes if mistake.file != file}
    mistakes = tuple(mistake for mistake in after.mistakes if mistake not in known)
    declared = declared_name(text)
    handovers = _handovers(before, after, declared[0], text) if declared and not mistakes else ()
    return DraftEffect(mistakes, tuple(handovers))


def _handovers(before: LoadFolder, after: LoadFolder, draft: str, text: str) -> Iterator[str]:
    known = {name: set(config.exclude) for name, config in before.loads.items()}
    known[draft] = known.get(draft, set()) | set(read_load_file(text, draft).exclude)
    for name, config in after.loads.items():
        for pattern in sorted(set(config.exclude) - known.get(name, set())):
            owner = "the load that has it as its source" if name == draft else f"load {draft}"
            yield f"Load {name} leaves what is below {pattern} to {owner}."


def write_load_file(path: Path, text: str) -> None:
    """Write a load file in one step: readers of the folder see the old text or the new one, never a part.

    Args:
        path: The file. A link is followed, and a file that exists keeps its mode.
        text: The new text; its newlines are written as they are.

    Raises:
        ConfigurationError: It cannot be written.
    """
    real = path.resolve()
    with _written_beside(real, path, text) as hidden:
        if real.exists():
            shutil.copymode(real, hidden)
        hidden.replace(real)


def create_load_file(path: Path, text: str) -> bool:
    """Write a load file that must not exist yet, all of it or nothing.

    Args:
        path: The file; its folder is created if it is missing.
        text: The text; its newlines are written as they are.

    Returns:
        Whether it was written; False if the path exists already, which is then left as it is.

    Raises:
        ConfigurationError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    with _written_beside(path, path, text) as hidden:
        try:
            path.hardlink_to(hidden)
        except FileExistsError:
            return False
    return True


@contextmanager
def _written_beside(real: Path, path: Path, text: str) -> Iterator[Path]:
    """Give a hidden file beside a load file that holds the text, and remove it afterwards.

    Hidden files are not load files.
    """
    hidden = real.with_name(f".{real.name}.{os.getpid()}")
    try:
        with hidden.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield hidden
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            hidden.unlink()


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"The load file {str(path)!r} cannot be written: {error.strerror}. Check the rights to write in its folder."
    )
