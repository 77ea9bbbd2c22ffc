"""Originals with one copy each, in folders: a pile for each case, made once."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import PIL
from PIL import Image

from copies import making, originals
from copies.making import Copy
from copies.originals import Original
from copies.transform import generator
from placing import cases
from placing.cases import OTHERS, Case

HERE = Path(__file__).parent
CODE = ("additions", "cases", "pages", "piles")  # modules that what is made depends on


def home(cache: Path) -> Path:
    """Where pictures are made: a folder for the code that makes them."""
    code = b"".join((HERE / f"{name}.py").read_bytes() for name in CODE)
    digest = hashlib.sha256(code + making.home(cache, 0, ()).name.encode() + PIL.__version__.encode())
    return cache / f"placed-{digest.hexdigest()[:10]}"


def make(chosen: Sequence[Original], count: int, pile: str, folder: Path) -> list[Copy]:
    """The first so many, each followed by its copy in a pile (cases.PILES), made below a folder.

    chosen: originals, then OTHERS for each, which go into its pages: no picture stands in two.
    A copy that a case can't make of a picture is left out, with its original.
    """
    made: list[Copy] = []
    for number, original in enumerate(chosen[:count]):
        others = chosen[count + number * OTHERS :][:OTHERS]
        made += _made(original, others, cases.at(pile, number), folder)
    return made


def _made(original: Original, others: Sequence[Original], case: Case, folder: Path) -> list[Copy]:
    """The original and its copy; nothing, where the case can't make one."""
    name, here = original.name, folder / original.name
    here.mkdir(parents=True, exist_ok=True)
    first = _original(original, here)
    file, nothing = f"{name}_{case.name}.{case.suffix}", here / f"{name}_{case.name}.none"
    if nothing.exists():
        return []
    if not (here / file).exists():
        with Image.open(here / first) as opened:
            image = opened.convert("RGB")
        with_it = [_opened(one) for one in others[: case.others]]
        copy = case.make(image, generator(name, case.name), with_it)
        if copy is None:
            nothing.touch()
            return []
        begun = here / f".{os.getpid()}.{case.suffix}"
        copy.convert("RGB").save(begun, **case.options)
        begun.replace(here / file)
    return [Copy(first, name, "orig", equal=True), Copy(file, name, case.name, equal=False)]


def _original(original: Original, folder: Path) -> str:
    """The name of the original's file, written where it isn't yet: a PNG or a JPEG."""
    for suffix in ("png", "jpg"):
        if (folder / f"{original.name}_orig.{suffix}").exists():
            return f"{original.name}_orig.{suffix}"
    begun = folder / f".{os.getpid()}"
    begun.mkdir()
    _, file = making.original_file(begun, original.name, _opened(original))
    (begun / file).replace(folder / file)
    begun.rmdir()
    return file


def _opened(original: Original) -> Image.Image:
    image = originals.opened(original.path)
    if image is None:
        raise SystemExit(f"{original.path} is no longer the picture that was chosen. Run it again.")
    return image
