"""A command's work on loose pictures: what each becomes is settled, then each is made unless it is there.

What stands where a picture should go is kept, unless it is our own (its mark says so), made by the same
command of the same picture: then it is done before, or, made with other settings or of other bytes, replaced.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anidata import __version__, recipe, storage
from anidata.errors import BadImage, SourceError
from anidata.imaging import decode, lines
from anidata.imaging.loose import marks, pictures, targets, writing
from anidata.imaging.loose.marks import Mark
from anidata.imaging.loose.pictures import Picture
from anidata.imaging.loose.targets import Guard, Target

MAX_PIXELS, MAX_BYTES = 100_000_000, 1 << 28
TRIES = 3  # how often a file is looked at anew that changes while a picture is made
YOURS = "a file of yours is there"
OTHERS = "a file that was made of another picture, or by another command, is there"
FOLDER = "a folder is there"
READ = "it is one of the files that are read"
CHANGING = "the file there keeps changing"

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Job:
    """A command, and how it writes."""

    command: str
    output: Path
    overwrite: bool = False  # also files of the user's; never one that is read
    reads: tuple[Path, ...] = ()  # files beside the pictures
    invert: bool | None = None  # pictures are white lines; None: as each is seen


@dataclass
class Done:
    """The files that were written, are as they were, and those that couldn't be read."""

    written: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)  # done before
    kept: dict[str, str] = field(default_factory=dict)  # path → why nothing was written there
    failed: dict[str, str] = field(default_factory=dict)  # picture's path → code and message
    left_out: int = 0  # our own outputs among the inputs
    inverted: list[str] = field(default_factory=list)  # pictures that were seen to be white lines

    @property
    def is_whole(self) -> bool:
        return not (self.failed or self.kept)

    def to_json(self) -> dict[str, Any]:
        return {
            "written": [storage.readable(str(p)) for p in self.written],
            "skipped": [storage.readable(str(p)) for p in self.skipped],
            "kept": {storage.readable(p): why for p, why in self.kept.items()},
            "failed": {storage.readable(p): storage.readable(why) for p, why in self.failed.items()},
            "left_out": self.left_out,
        }


@dataclass(frozen=True)
class Work:
    """Pictures with what they become, and what has been done of them."""

    job: Job
    guard: Guard
    pictures: list[Picture]
    done: Done

    def each(self, settings: Sequence[Any], made: Callable[[Pixels], bytes]) -> Done:
        """Make a PNG of each picture. settings: all else that it depends on."""
        return self.each_of(lambda _: settings, lambda _, rgb: made(rgb))

    def each_of(
        self, settings: Callable[[Picture], Sequence[Any]], made: Callable[[Picture, Pixels], bytes]
    ) -> Done:
        """Make a PNG of each picture, where that and the settings depend on which it is."""
        for picture, target in self._targets():
            try:
                data = _bytes_of(picture.path)
                mark = Mark(
                    self.job.command,
                    marks.way(picture.path, target.path.parent),
                    self._fingerprint(storage.key_of(data), settings(picture)),
                )
                self._write(target, mark, partial(self._made, picture, data, made))
            except BadImage as error:
                self.done.failed[str(picture.path)] = str(error)
        return self.done

    def _made(self, picture: Picture, data: bytes, made: Callable[[Picture, Pixels], bytes]) -> bytes:
        return made(picture, self._pixels_of(picture, data))

    def beside(self, paths: Collection[Path]) -> "Work":
        """The same work, with other files that are read, which are none of its pictures."""
        read = {os.path.realpath(path) for path in paths}
        left = [picture for picture in self.pictures if os.path.realpath(picture.path) not in read]
        return replace(
            self, guard=Guard([*(p.path for p in self.pictures), *self.job.reads, *paths]), pictures=left
        )

    def _fingerprint(self, key: str, settings: Sequence[Any]) -> str:
        return recipe.fingerprint(__version__, self.job.command, key, self._everything(settings))

    def _everything(self, settings: Sequence[Any]) -> list[Any]:
        """The settings, with what the job says itself."""
        return [*settings, *([] if self.job.invert is None else [{"invert": self.job.invert}])]

    def _pixels_of(self, picture: Picture, data: bytes) -> Pixels:
        invert = self.job.invert
        if invert is None and marks.read(picture.path):  # what we made is black on white
            invert = False
        rgb, inverted = lines.black_on_white(decode.layers(data, MAX_PIXELS), invert)
        if inverted and invert is None:
            self.done.inverted.append(str(picture.path))
        return rgb

    def sheet(
        self, name: str, paths: Sequence[Path], settings: Sequence[Any], shown: Callable[[Pixels], Pixels],
        made: Callable[[list[tuple[Picture, Pixels]]], bytes],
    ) -> Done:  # fmt: skip
        """Make one PNG of all pictures, NAME.png, from what is `shown` of each. paths: as they were named."""
        read = list(self._read(shown))
        names = [Path(f"{name}.png"), Path(f"{name}.sheet.png")]
        target = targets.assigned([names], self.job.output, self.guard)[0]
        if not read:
            return self.done
        if target is None:
            self.done.kept[str(self.job.output / names[0])] = READ
            return self.done
        writing.sweep(target.top, target.path.parent)
        source = recipe.fingerprint(sorted(marks.way(path, target.path.parent) for path in paths))
        keys = [[picture.relative.name, key] for picture, key, _ in read]
        mark = Mark(pictures.SHEET, source, recipe.fingerprint(__version__, keys, self._everything(settings)))
        self._write(target, mark, lambda: made([(picture, rgb) for picture, _, rgb in read]))
        return self.done

    def _targets(self) -> list[tuple[Picture, Target]]:
        """The pictures that have a name to go to, and it."""
        chosen = targets.of_pictures(self.pictures, self.job.output, self.guard)
        for picture, target in zip(self.pictures, chosen, strict=True):
            if target is None:
                self.done.failed[str(picture.path)] = (
                    f"name_taken: no name is left for it in {self.job.output}"
                )
        aimed = [(p, target) for p, target in zip(self.pictures, chosen, strict=True) if target]
        for top, folder in {(target.top, target.path.parent) for _, target in aimed}:
            writing.sweep(top, folder)
        return aimed

    def _read(self, shown: Callable[[Pixels], Pixels]) -> Iterator[tuple[Picture, str, Pixels]]:
        """The pictures that can be read, with their keys."""
        for picture in self.pictures:
            try:
                data = _bytes_of(picture.path)
                rgb = shown(self._pixels_of(picture, data))
            except BadImage as error:
                self.done.failed[str(picture.path)] = str(error)
            else:
                yield picture, storage.key_of(data), rgb

    def _write(self, target: Target, mark: Mark, made: Callable[[], bytes]) -> None:
        """Make a file, unless it is there or something else has to stay."""
        data = b""
        for _ in range(TRIES):
            seen = writing.look(target.path)
            there = marks.read(target.path) if seen else None
            if there == mark:
                self.done.skipped.append(target.shown)
                return
            if why := self._keeps(target.path, seen, there, mark):
                self.done.kept[str(target.shown)] = why
                return
            data = data or marks.stamped(made(), mark)
            if writing.put(target.top, target.path, data, seen):
                self.done.written.append(target.shown)
                return
        self.done.kept[str(target.shown)] = CHANGING

    def _keeps(self, path: Path, seen: writing.Seen | None, there: Mark | None, mark: Mark) -> str:
        """Why what stands at a path stays; empty: it doesn't, or nothing stands there."""
        if self.guard.holds(path):
            return READ
        if seen is None:
            return ""
        if path.is_dir() and not path.is_symlink():
            return FOLDER
        is_own = there is not None and (there.command, there.source) == (mark.command, mark.source)
        if self.job.overwrite or is_own:
            return ""
        return OTHERS if there else YOURS


def plan(paths: Sequence[Path], job: Job) -> Work:
    """The work on files and folders of pictures.

    Raises: SourceError: there is no such file or folder, or the output is a file, or a link to nothing.
    """
    if job.output.exists() and not job.output.is_dir():
        raise SourceError(f"{job.output} is a file; name a folder to write into: -o DIR")
    if job.output.is_symlink() and not job.output.exists():
        raise SourceError(f"{job.output} is a link that leads nowhere; name a folder to write into: -o DIR")
    inputs = pictures.gather(paths, job.output, job.command)
    guard = Guard([*(picture.path for picture in inputs.pictures), *job.reads])
    return Work(job, guard, inputs.pictures, Done(failed=inputs.failed, left_out=inputs.left_out))


def read(path: Path) -> Pixels:
    """The pixels of a loose picture, (h, w, 3). Raises: BadImage: it can't be read."""
    return decode.decode(_bytes_of(path), MAX_PIXELS).rgb


def read_layers(path: Path) -> Pixels:
    """The same before it is laid on white, with its alpha. Raises: BadImage: it can't be read."""
    return decode.layers(_bytes_of(path), MAX_PIXELS)


def _bytes_of(path: Path) -> bytes:
    return storage.read(storage.Reference(storage.uri_of(path)), Path(), MAX_BYTES, links=True)
