"""Files of originals and their copies: a folder an original, made whole or not at all, and never twice.

NAME/NAME_orig.png or .jpg, NAME/NAME_TRANSFORM.SUFFIX and NAME/copies.csv. Chance comes of the names alone.
Of two originals one is a PNG and one a JPEG, so that no format tells which one is the original.
"""

import csv
import hashlib
import multiprocessing
import os
import shutil
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import PIL
from PIL import Image

from copies import originals
from copies.all import TRANSFORMS
from copies.originals import Original
from copies.transform import generator, saved

QUALITY = 95  # of originals that are JPEGs
WORKERS = 2
NICE = 10


class Copy(NamedTuple):
    """A file made of an original."""

    file: str
    source: str  # the original's name
    transform: str  # or `orig`
    equal: bool  # whether its pixels are the original's


def home(cache: Path, count: int, only: Sequence[str]) -> Path:
    """Where copies are made: a folder for all that goes into them but the pictures."""
    code = b"".join(
        path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")) if path.stem in MAKING
    )
    digest = hashlib.sha256(code + repr((PIL.__version__, QUALITY, count, sorted(only))).encode()).hexdigest()
    return cache / f"made-{digest[:10]}"


MAKING = {
    *("transform", "encoding", "colors", "overlays", "frames", "turns", "faces", "chains", "all"),
    *("lettering", "originals"),
}


def make(chosen: Sequence[Original], folder: Path, count: int, only: Sequence[str] = ()) -> list[list[Copy]]:
    """Make the copies of each original that has none yet, by two processes; only: of these transforms."""
    folder.mkdir(parents=True, exist_ok=True)
    todo = [one for one in chosen if not (folder / one.name).exists()]
    one_by_one = partial(_make_all, folder=folder, count=count, only=tuple(only))
    if todo:
        with multiprocessing.Pool(WORKERS, initializer=_calm) as pool:
            for _ in pool.imap_unordered(one_by_one, todo):
                pass
    return [read(folder / one.name) for one in chosen]


def _calm() -> None:
    """Let others go first, as they do whose parent is nice already."""
    os.nice(max(0, NICE - os.nice(0)))


def read(folder: Path) -> list[Copy]:
    """The original and its copies."""
    with (folder / "copies.csv").open(newline="") as file:
        return [
            Copy(row["file"], row["source"], row["transform"], row["equal"] == "True")
            for row in csv.DictReader(file)
        ]


def forget(made: Iterable[Sequence[Copy]], folder: Path) -> None:
    """Delete the pictures of originals' folders; their lists stay, so that they aren't made again."""
    for copies in made:
        for copy in copies:
            (folder / copy.source / copy.file).unlink(missing_ok=True)


def _make_all(original: Original, folder: Path, count: int, only: Sequence[str]) -> None:
    """Make an original's folder beside its place, and move it there."""
    begun = folder / f".{original.name}.{os.getpid()}"
    shutil.rmtree(begun, ignore_errors=True)
    begun.mkdir()
    image = originals.opened(original.path)
    if image is None:
        raise SystemExit(f"{original.path} is no longer the picture that was chosen. Run it again.")
    write(begun, original.name, image, count, only)
    try:
        begun.rename(folder / original.name)
    except OSError:  # another run was faster
        shutil.rmtree(begun)


def write(folder: Path, name: str, image: Image.Image, count: int, only: Sequence[str] = ()) -> list[Copy]:
    """Write an original and so many copies of it, with their list."""
    image, file = original_file(folder, name, image)
    made = [Copy(file, name, "orig", equal=True)]
    for transform in order(name, only):
        if len(made) == count + 1:
            break
        copy = transform.make(image, generator(name, transform.name))
        if copy is not None:
            file = f"{name}_{transform.name}.{transform.suffix}"
            copy.save(folder / file, **transform.options)
            made.append(Copy(file, name, transform.name, _is_equal(folder / file, image)))
    _list(folder / "copies.csv", made)
    return made


def original_file(folder: Path, name: str, image: Image.Image) -> tuple[Image.Image, str]:
    """Save an original as a PNG or a JPEG, and return what is in that file and how it is called."""
    if generator(name, "format").integers(2):
        image.save(folder / f"{name}_orig.png")
        return image, f"{name}_orig.png"
    image.save(folder / f"{name}_orig.jpg", quality=QUALITY)
    return saved(image, "jpeg", quality=QUALITY), f"{name}_orig.jpg"


def order(name: str, only: Sequence[str]) -> list:
    """The transforms as an original takes its turn with them."""
    some = [TRANSFORMS[one] for one in only] or list(TRANSFORMS.values())
    return sorted(some, key=lambda one: hashlib.sha256(f"{name} {one.name}".encode()).digest())


def _is_equal(path: Path, image: Image.Image) -> bool:
    with Image.open(path) as copy:
        return copy.size == image.size and copy.convert("RGB").tobytes() == image.tobytes()


def _list(path: Path, made: Iterable[Copy]) -> None:
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(Copy._fields)
        out.writerows(made)
