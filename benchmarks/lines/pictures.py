"""The pictures that styles are measured on, and where they lie.

SHARED: the collection of measuring scripts and artwork (../shared, or ANIDATA_SHARED). ART: sprites with
transparency in `sprites/PACKAGE/*.png`, a `split.csv` beside them that says of each package whether it is to
fit on or to check with, and other pictures in `looks/KIND/` (`art` beside SHARED, or ANIDATA_ART).
What is decoded is kept at its 512 px in a folder of the system's temporary one.
"""

import csv
import hashlib
import importlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from anidata import registry
from bench import SHARED
from lines import silhouettes

ART = Path(os.environ.get("ANIDATA_ART", SHARED.parent / "art"))
BUNDLED = registry.PACKAGE / "art"
CACHE = Path(tempfile.gettempdir()) / "anidata-lines"
PICTURES = {".png", ".jpg", ".jpeg", ".webp"}

if not (SHARED / "bench/lineart_f1.py").is_file():
    raise SystemExit(f"{SHARED} has no bench/lineart_f1.py. Say in ANIDATA_SHARED where the collection lies.")
sys.path[:0] = [str(SHARED / "bench"), str(Path(__file__).resolve().parents[2] / "tests/labs")]
scorer, cels = importlib.import_module("lineart_f1"), importlib.import_module("cels")


class Sprite(NamedTuple):
    """A sprite's file, and the half that its package is in: fit, check, or none."""

    path: Path
    half: str


def sprites(every: int) -> list[Sprite]:
    """Each n-th sprite of each package; where there are none, those of the collection's pictures."""
    halves = _halves(ART / "sprites/split.csv")
    folders = [ART / "sprites" / name for name in sorted(halves)]
    taken = [Sprite(path, halves[f.name]) for f in folders for path in sorted(f.glob("*.png"))[::every]]
    return taken or [Sprite(p, "") for p in negatives()[::every]]


def looks(*kinds: str) -> list[Path]:
    """The other pictures of some kinds."""
    return [path for kind in kinds for path in _files(ART / "looks" / kind)]


def lineless(every: int) -> list[Path]:
    """Photos and paintings: what has no lines to be drawn."""
    return (_files(SHARED / "data/photos") + looks("paintings"))[::every]


def mixed(every: int) -> list[Path]:
    """Pictures of every kind, a quarter of the sprites among them."""
    kinds = ("comics", "cartoons", "paintings", "flags_maps", "portraits")
    folders = [SHARED / "data" / name for name in ("dups/negatives", "dups/originals", "photos")]
    quarter = [sprite.path for sprite in sprites(4)]
    return (looks(*kinds) + quarter + [path for folder in folders for path in _files(folder)])[::every]


def pairs(every: int) -> list[Path]:
    """The true lines of pairs."""
    return sorted((SHARED / "data/lineart").glob("**/*_line.png"))[::every]


def bundled() -> list[Path]:
    """The bundled art without its true lines."""
    return [path for path in _files(BUNDLED) if not path.stem.endswith("_line")]


def negatives() -> list[Path]:
    """Sprites that look alike, as the collection has them."""
    return _files(SHARED / "data/dups/negatives")


def timed() -> list[Path]:
    """The three that a style's time is taken on."""
    return [BUNDLED / name for name in ("pair_adventurer_01_color.png", "vn_sylvie_01.png", "comic_02.jpg")]


def opened_sprite(path: Path) -> np.ndarray | None:
    """A sprite at 512 px, uint8 (h, w, 4) RGBA; None where it has no silhouette."""
    return _kept(path, "sprite", lambda: silhouettes.fitted(path))


def opened(path: Path) -> np.ndarray:
    """A picture on white, 512 px on its long side, uint8 (h, w, 3) RGB."""
    return _kept(path, "picture", lambda: scorer.fit(scorer.on_white(path))[..., ::-1])


def opened_pair(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A pair's picture (h, w, 3) and true lines (h, w), from the path of the lines."""
    rgb = opened(path.with_name(path.name.replace("_line", "_color")))
    return rgb, scorer.fit(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))


def _kept(path: Path, form: str, make: Callable[[], np.ndarray | None]) -> np.ndarray | None:
    """What was made of a file as it is now, made but once."""
    state = path.stat()
    key = hashlib.sha256(f"{path} {state.st_size} {state.st_mtime_ns} {form}".encode()).hexdigest()[:24]
    kept = CACHE / f"{key}.npy"
    if not kept.exists():
        made = make()
        CACHE.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        with part.open("wb") as file:
            np.save(file, np.empty(0) if made is None else np.ascontiguousarray(made))
        part.replace(kept)
    array = np.load(kept)
    return array if array.size else None


def _halves(table: Path) -> dict[str, str]:
    if not table.exists():
        return {}
    with table.open(newline="", encoding="utf-8") as file:
        return {row["package"]: row["half"] for row in csv.DictReader(file)}


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES) if folder.is_dir() else []
