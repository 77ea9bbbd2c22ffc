"""The files that loose pictures become: unique, none an input, the same in whatever order they come."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from anidata.imaging.loose.marks import fold, spelled_way
from anidata.imaging.loose.pictures import Picture

LONGEST = 255  # bytes of a file's name
ENDING = ".png"


class Guard:
    """The files that are read, which nothing is written over: by any spelling, link or case."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._files: set[tuple[int, int]] = set()
        self._names: set[tuple[int, int, str]] = set()
        for path in paths:
            try:
                file, folder = path.stat(), path.parent.stat()
            except OSError:  # gone since it was listed
                continue
            self._files.add((file.st_dev, file.st_ino))
            self._names.add((folder.st_dev, folder.st_ino, fold(path.name)))

    def holds(self, path: Path) -> bool:
        """Whether a path is one of the files, or would be where upper and lower case are one."""
        try:
            file = path.stat()
        except OSError:
            pass
        else:
            if (file.st_dev, file.st_ino) in self._files:
                return True
        try:
            folder = path.parent.stat()
        except OSError:
            return False
        return (folder.st_dev, folder.st_ino, fold(path.name)) in self._names


@dataclass(frozen=True)
class Target:
    """A file to write."""

    top: Path  # the output folder, links resolved
    path: Path  # links in its folders resolved
    shown: Path  # as the user would spell it


def of_pictures(pictures: Sequence[Picture], output: Path, guard: Guard) -> list[Target | None]:
    """The file that each picture becomes below the output folder; None where no name is left for it.

    That is FOLDERS/STEM.png. All of those that would become one file, and those that would become
    a file that is read, take the next name: STEM.EXT.png; STEM.EXT.PARENT.png, by the folder that was
    named or holds the file; STEM.EXT.HASH.png, by the way to it.
    """
    top = Path(os.path.realpath(output))
    return assigned([_names(picture, top) for picture in pictures], output, guard)


def assigned(names: Sequence[Sequence[Path]], output: Path, guard: Guard) -> list[Target | None]:
    """The first of each one's names, below the output folder, that no other has and that isn't read."""
    top = Path(os.path.realpath(output))
    known: dict[Path, str] = {}
    levels = [0] * len(names)
    waiting: Iterable[int] = range(len(names))
    while waiting:
        homes: dict[str, list[int]] = defaultdict(list)
        for n, level in enumerate(levels):
            if level < len(names[n]):
                homes[_identity(top / names[n][level], known)].append(n)
        waiting = [
            n for group in homes.values() for n in group
            if len(group) > 1 or guard.holds(top / names[n][levels[n]])
        ]  # fmt: skip
        for n in waiting:
            levels[n] += 1
    chosen = [next(iter(own[level:]), None) for own, level in zip(names, levels, strict=True)]
    return [Target(top, top / name, output / name) if name else None for name in chosen]


def _names(picture: Picture, top: Path) -> list[Path]:
    whole = picture.relative.name
    heads = [(picture.relative.stem, ""), (whole, "")]
    heads += [(whole, f".{tail}") for tail in (picture.home, spelled_way(picture.path, top)) if tail]
    return [picture.relative.with_name(_fitting(head, tail + ENDING)) for head, tail in heads]


def _fitting(head: str, tail: str) -> str:
    """A name of two parts, the first cut where a file system would refuse the whole."""
    while head and len(os.fsencode(head + tail)) > LONGEST:
        head = head[:-1]
    return head + tail if head else tail[-LONGEST:]


def _identity(path: Path, known: dict[Path, str]) -> str:
    """A path such that two that may lead to one file have the same."""
    if path.parent not in known:
        known[path.parent] = os.path.realpath(path.parent)
    return fold(os.path.join(known[path.parent], path.name))
