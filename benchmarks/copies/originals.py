"""Originals: pictures of free art of which no two are alike, at most 512 px.

Chosen by a hash of their paths, from each package in turn. Alike is taken coarsely: phashes of the picture or
its mirror image within ALIKE of 64 bits, or files of one folder whose names begin with the same word, as
frames of one animation have them. So near misses among different drawings are rare here: links between those
are judged elsewhere, over everything (unrelated_art.py).
"""

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import imagehash
import numpy as np
from PIL import Image, ImageOps

from copies.transform import on_white, shrunk

LONGEST, SHORTEST = 512, 128  # px: what originals are brought to; the short side that one has, at least
STRETCH = 3  # times as long as wide, at most
MOST = 40_000_000  # px of a picture as it is found
ALIKE = 14  # bits of 64
DRAWN = 20.0  # grey levels: standard deviation of a picture that shows something
WORD = re.compile(r"[A-Za-z]{3,}")
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}


class Original(NamedTuple):
    """A picture to copy."""

    name: str  # of its package and path: that of its folder, and how its files' names begin
    path: Path


def remembered(path: Path, folder: Path, count: int) -> list[Original]:
    """So many pictures, remembered in a file: the same again whatever has been collected meanwhile."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = path.with_suffix(".begun")
        with begun.open("w", newline="") as file:
            csv.writer(file).writerows(choose(folder, count))
        begun.replace(path)
    with path.open(newline="") as file:
        return [Original(name, Path(picture)) for name, picture in csv.reader(file)]


def choose(folder: Path, count: int) -> list[Original]:
    """So many pictures, or all that there are; folder: one of packages."""
    chosen: list[Original] = []
    codes, words = np.zeros((0, 64), np.bool_), set()
    for path in _in_turn(folder):
        if len(chosen) == count:
            break
        word = _word(path)
        image = opened(path) if word not in words else None
        if image is None:
            continue
        code, mirrored = (imagehash.phash(one).hash.ravel() for one in (image, ImageOps.mirror(image)))
        if (codes != code).sum(1).min(initial=64) <= ALIKE or (codes != mirrored).sum(1).min(
            initial=64
        ) <= ALIKE:
            continue
        codes = np.vstack([codes, code])
        words.add(word)
        chosen.append(Original(_name(path, folder), path))
    return chosen


def opened(path: Path) -> Image.Image | None:
    """A picture as it is copied, or None: too small, too long, blank, or none at all."""
    with suppress(OSError, SyntaxError, ValueError), Image.open(path) as file:
        width, height = file.size
        if width * height > MOST or max(width, height) > STRETCH * min(width, height):
            return None
        if min(width, height) * min(1, LONGEST / max(width, height)) < SHORTEST:
            return None
        image = shrunk(on_white(file), LONGEST)
        return image if np.asarray(image.convert("L"), np.float32).std() >= DRAWN else None
    return None


def _in_turn(folder: Path) -> Iterator[Path]:
    """The files of all packages, one of each in turn."""
    piles = [
        sorted(
            (p for p in package.rglob("*") if p.suffix.lower() in SUFFIXES), key=lambda p: _hash(p, folder)
        )
        for package in sorted(folder.iterdir(), key=lambda p: _hash(p, folder))
        if package.is_dir()
    ]
    rounds: Iterable[tuple[Path | None, ...]] = zip_longest(*piles)
    return (path for one in rounds for path in one if path is not None)


def _word(path: Path) -> tuple[Path, str]:
    """The folder, and the first word of a file's name, or all of it where none is."""
    match = WORD.search(path.stem)
    return path.parent, match[0].lower() if match else path.stem


def _hash(path: Path, folder: Path) -> str:
    return hashlib.sha256(path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")).hexdigest()


def _name(path: Path, folder: Path) -> str:
    package = re.sub(r"[^A-Za-z0-9]+", "-", path.relative_to(folder).parts[0])
    return f"{package}-{_hash(path, folder)[:12]}"
