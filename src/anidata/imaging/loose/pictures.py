"""The pictures of the files and folders that a command is given: each once, without our own outputs."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anidata.errors import SourceError
from anidata.imaging.loose import marks

# of what is taken from a folder
ENDINGS = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
SHEET = "sheet"  # the command of a mark on what shows many pictures, and is none to go on with

Entry = tuple[object, ...]


@dataclass(frozen=True)
class Picture:
    """A picture, and where it lies below what was named."""

    path: Path  # as it was spelled
    relative: Path  # below the folder that was named; of a file that was named, its name
    home: str  # name of that folder


@dataclass
class Inputs:
    """The pictures to work on, and what was passed over."""

    pictures: list[Picture] = field(default_factory=list)
    left_out: int = 0  # our own outputs
    failed: dict[str, str] = field(default_factory=dict)  # path → code and message


def gather(paths: Sequence[Path], output: Path, command: str) -> Inputs:
    """The pictures of files and folders. No picture is decoded.

    Left out are: below a folder that was named, what lies in the output folder, what the same command made,
    and what another one made where pictures that none made lie there too. Of files that were named:
    what the same command made and that lies in the output folder.
    Raises: SourceError: no such file or folder.
    """
    for path in paths:
        if not path.exists():
            raise SourceError(f"{path}: there is no such file or folder. Name pictures, or folders of them.")
    inputs = Inputs()
    for path in paths:
        if path.is_dir():
            _take_folder(path, output, command, inputs)
        elif not path.is_file():
            inputs.failed[str(path)] = "unreadable: no regular file: it isn't opened"
        elif _is_same(path.parent, output) and _is_done(marks.read(path), command):
            inputs.left_out += 1
        else:
            home = path.parent.resolve().name
            inputs.pictures.append(Picture(path, Path(path.name), home))
    inputs.pictures = _once(inputs.pictures)
    return inputs


def _take_folder(top: Path, output: Path, command: str, inputs: Inputs) -> None:
    listed: list[tuple[Path, marks.Mark | None]] = []
    for path, is_output in _walk(top, output, inputs):
        if is_output:
            inputs.left_out += 1
        else:
            listed.append((path, marks.read(path)))
    strangers = any(mark is None for _, mark in listed)
    home = top.resolve().name
    for path, mark in listed:
        if mark and (strangers or _is_done(mark, command)):
            inputs.left_out += 1
        else:
            inputs.pictures.append(Picture(path, path.relative_to(top), home))


def _walk(top: Path, output: Path, inputs: Inputs) -> Iterator[tuple[Path, bool]]:
    """The pictures below a folder, by name, and whether they lie in an output folder within it.

    Hidden files and folders are passed by, links to folders not followed.
    """

    def refused(error: OSError) -> None:
        inputs.failed[str(error.filename)] = f"unreadable: {error.strerror}"

    outputs: tuple[str, ...] = ()
    for folder, folders, names in os.walk(top, onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        outputs += tuple(f"{folder}/{n}/" for n in folders if _is_same(Path(folder, n), output))
        for name in sorted(names):
            path = Path(folder, name)
            if not name.startswith(".") and path.suffix.lower() in ENDINGS and path.is_file():
                yield path, f"{folder}/".startswith(outputs)


def _is_done(mark: marks.Mark | None, command: str) -> bool:
    return mark is not None and mark.command in {command, SHEET}


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _once(pictures: Sequence[Picture]) -> list[Picture]:
    """Each file once, however it was spelled: as what keeps most of its folders."""
    chosen: dict[Entry, Picture] = {}
    for picture in pictures:
        entry = _entry(picture.path)
        chosen[entry] = max(chosen.get(entry, picture), picture, key=_rank)
    return list(chosen.values())


def _rank(picture: Picture) -> tuple[int, str, str]:
    return len(picture.relative.parts), str(picture.relative), picture.home


def _entry(path: Path) -> Entry:
    """A name in a folder, by any spelling."""
    try:
        folder, file = path.parent.stat(), path.stat()
    except OSError:  # gone since it was listed
        return (path,)
    return folder.st_dev, folder.st_ino, marks.fold(path.name), file.st_dev, file.st_ino
