"""Mirrored originals: which side stays where text, a third copy, a date or `dedup.prefer` tells, and where
nothing does.

Each case is a workspace of its own: originals in the folder `artist`, their mirror images in `found`, which
is typed first. By a hash of its name a mirror image is a PNG (more bytes than a JPEG original has) or a JPEG
of quality 75 (fewer), whichever the original is.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from anidata.engine.engine import Engine
from anidata.stages.dedup.config import Config
from copies import making, originals, running, scoring
from copies.lettering import centered, font, sentence, wrapped
from copies.originals import Original
from copies.overlays import balloons
from copies.transform import generator, scaled
from copies.turns import mirrored

CASES = ("text", "third copy", "date", "prefer", "nothing")
PREFER = ("dedup.prefer=['*artist*']",)
FEWER = 75  # quality of a mirrored JPEG
Rng = np.random.Generator
Counted = tuple[int, int, int]


def run(case: str, chosen: Sequence[Original], folder: Path, engine: Engine) -> Counted | None:
    """How many mirrored pairs a case has, of how many the original was dropped, and of how many neither.

    None: this anidata doesn't know `dedup.prefer`.
    """
    if case == "prefer" and "prefer" not in {one.name for one in fields(Config)}:
        return None
    result = folder / f"mirrored-{case.replace(' ', '-')}.csv"
    piles = folder / "mirrored"
    if not result.exists():
        shutil.rmtree(piles, ignore_errors=True)
        for original in chosen:
            _make(case, original, piles)
    sources = [piles / name for name in ("found", "artist", "elsewhere") if (piles / name).is_dir()]
    rows = running.anidata(result, sources, engine, PREFER if case == "prefer" else ())
    shutil.rmtree(piles, ignore_errors=True)
    kept = {row["file"].rsplit(".", 1)[0]: scoring.kept(row) for row in rows}
    pairs = [(kept[name], kept[f"{name[:-5]}_mirror"]) for name in kept if name.endswith("_orig")]
    return len(pairs), sum(not original for original, _ in pairs), sum(a and b for a, b in pairs)


def _make(case: str, original: Original, piles: Path) -> None:
    """Write an original, its mirror image and what tells, where it has another side."""
    for name in ("artist", "found"):
        (piles / name).mkdir(parents=True, exist_ok=True)
    image, rng = originals.opened(original.path), generator(original.name, "mirrored", case)
    if image is None:
        raise SystemExit(f"{original.path} is no longer the picture that was chosen. Run it again.")
    if case == "text":
        image = _lettered(image, rng)
    if mirrored(image, rng) is None:
        return
    image, file = making.original_file(piles / "artist", original.name, image)
    other = mirrored(image, rng)
    if other is None:
        (piles / "artist" / file).unlink()
        return
    image_file = _save(other, piles / "found" / f"{original.name}_mirror")
    if case == "third copy":
        (piles / "elsewhere").mkdir(exist_ok=True)
        scaled(image, 0.7).save(piles / "elsewhere" / f"{original.name}_third.jpg", quality=85)
    if case == "date":
        _dated(piles / "artist" / file, 2009, rng)
        _dated(image_file, 2016, rng)


def _save(image: Image.Image, path: Path) -> Path:
    if hashlib.sha256(path.name.encode()).digest()[0] % 2:
        path = path.with_name(f"{path.name}.png")
        image.save(path)
    else:
        path = path.with_name(f"{path.name}.jpg")
        image.save(path, quality=FEWER)
    return path


def _lettered(image: Image.Image, rng: Rng) -> Image.Image:
    """The picture with text in it: a balloon, or a title below."""
    draws: list[Callable[[Image.Image, Rng], Image.Image]] = [_spoken, _titled]
    return draws[int(rng.integers(2))](image, rng)


def _spoken(image: Image.Image, rng: Rng) -> Image.Image:
    return balloons(1, image, rng)


def _titled(image: Image.Image, rng: Rng) -> Image.Image:
    image = image.copy()
    letters = font(image.width * 0.075)
    text = wrapped(sentence(rng, 3, 6), letters, image.width * 0.85).title()
    box = (0, image.height * 0.72, image.width, image.height)
    style = {"fill": (250, 240, 200), "stroke_width": 2, "stroke_fill": (30, 10, 10)}
    centered(ImageDraw.Draw(image), box, text, font=letters, **style)
    return image


def _dated(path: Path, year: int, rng: Rng) -> None:
    """A sidecar as gallery-dl writes it."""
    date = f"{year + int(rng.integers(5))}-{rng.integers(1, 13):02}-{rng.integers(1, 29):02} 12:00:00"
    path.with_name(f"{path.name}.json").write_text(json.dumps({"date": date, "category": "example"}))
