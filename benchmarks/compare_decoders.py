"""Pillow, OpenCV and anidata's own decoder on pictures of a megapixel in every format.

    python benchmarks/compare_decoders.py

Times are milliseconds of one core, each the least of --rounds taken in turn, summed over the pictures;
beside them the largest and the mean difference to Pillow in levels of 255. ×: Pillow's time over ours,
and OpenCV's over ours: above 1 ours is faster. Ours also walks the file for what Pillow and OpenCV pass
by (the end, checksums, frames, EXIF, ICC), so some of a factor below 1 is what that costs.
"""

import argparse
import io
import os
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
from rich.console import Console
from rich.table import Table

from anidata.imaging import decode, fit

SHARED = (
    Path(os.environ.get("ANIDATA_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    / "data/dups/originals"
)
PIXELS = 1_000_000
LIMIT = 100_000_000
FORMATS: dict[str, tuple[str, str, dict[str, object]]] = {  # name → Pillow's mode, format and options
    "jpeg baseline": ("RGB", "JPEG", {"quality": 90}),
    "jpeg 4:4:4": ("RGB", "JPEG", {"quality": 90, "subsampling": 0}),
    "jpeg progressive": ("RGB", "JPEG", {"quality": 90, "progressive": True}),
    "jpeg gray": ("L", "JPEG", {"quality": 90}),
    "jpeg cmyk": ("CMYK", "JPEG", {"quality": 90}),
    "png rgb": ("RGB", "PNG", {}),
    "png gray": ("L", "PNG", {}),
    "png 16-bit gray": ("I;16", "PNG", {}),
    "png palette": ("P", "PNG", {}),
    "png 1 bit": ("1", "PNG", {}),
    "webp lossy": ("RGB", "WEBP", {"quality": 90}),
    "webp lossless": ("RGB", "WEBP", {"lossless": True, "method": 0}),
    "gif": ("P", "GIF", {}),
    "bmp": ("RGB", "BMP", {}),
    "tiff": ("RGB", "TIFF", {}),
    "tiff lzw": ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    "tiff deflate": ("RGB", "TIFF", {"compression": "tiff_adobe_deflate"}),
    "avif": ("RGB", "AVIF", {"quality": 80, "speed": 10}),
    "jpeg2000": ("RGB", "JPEG2000", {"quality_mode": "rates", "quality_layers": [10]}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pictures", type=int, default=3)
    parser.add_argument(
        "--reduced",
        action="store_true",
        help="instead: JPEGs decoded and shrunk to a thumbnail, in full and at reduced size",
    )
    parser.add_argument("--format", action="append", choices=list(FORMATS), help="these alone")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    if asked.reduced:
        table = reduced(asked.pictures, asked.rounds)
    else:
        table = compared(asked.pictures, asked.rounds, asked.format or list(FORMATS))
    Console(width=140).print(table)


def _table(title: str, heads: str) -> Table:
    """A table whose first column is text, and all others numbers; heads are parted by bars."""
    table = Table(title=title)
    for number, head in enumerate(heads.split("|")):
        table.add_column(head, justify="right" if number else "left")
    return table


def compared(count: int, rounds: int, names: list[str]) -> Table:
    """The three decoders on pictures in each format."""
    arts = pictures(count)
    table = _table(
        f"{len(arts)} pictures of {PIXELS / 1e6:g} megapixel, one core",
        "format|kB|Pillow, ms|OpenCV, ms|ours, ms|× Pillow|× OpenCV|ours: max, mean|OpenCV: max, mean",
    )
    for name in names:
        table.add_row(name, *row([encoded(art, *FORMATS[name]) for art in arts], rounds))
    return table


def reduced(count: int, rounds: int) -> Table:
    """Thumbnails of JPEGs of 1 and 4 megapixels, and of the shared ones as they are."""
    table = _table(
        "JPEG to a thumbnail: milliseconds, and levels of 255 between the two ways",
        "JPEGs|side, px|pictures|full, ms|reduced, ms|×|mean|worst mean|largest",
    )
    sets = {f"{size} megapixel": _jpegs(count, size * PIXELS) for size in (1, 4)}
    shared = sorted(SHARED.parents[1].rglob("*.jpg"))
    sets["shared"] = [path.read_bytes() for path in shared if "junk" not in path.parts]
    for (name, files), side in product(sets.items(), (192, 512)):
        large = [data for data in files if _is_large(data, side)]
        figures = _two_ways(large, side, rounds) if large else []
        table.add_row(name, str(side), str(len(large)), *figures)
    return table


def _jpegs(count: int, pixels: int) -> list[bytes]:
    return [encoded(art, "RGB", "JPEG", {"quality": 90}) for art in pictures(count, pixels)]


def _is_large(data: bytes, side: int) -> bool:
    """Whether a JPEG may be reduced for a thumbnail."""
    return max(decode.decode(data, LIMIT).rgb.shape[:2]) >= 2 * decode.ENOUGH * side


def _two_ways(files: list[bytes], side: int, rounds: int) -> list[str]:
    """Figures of thumbnails in full and at reduced size: times, their quotient, differences."""
    ways = {
        way: _all_of(partial(thumbnail, side=side, least=enough), files)
        for way, enough in (("full", 0), ("reduced", side))
    }
    took = least(ways, rounds)
    pairs = zip(ways["full"](), ways["reduced"](), strict=True)
    apart = [np.abs(one.astype(int) - other) for one, other in pairs]
    means = [float(part.mean()) for part in apart]
    return [
        *(f"{took[way] * 1000 / len(files):.2f}" for way in ways),
        f"{took['full'] / took['reduced']:.2f}",
        f"{np.mean(means):.2f}",
        f"{max(means):.2f}",
        str(max(int(part.max()) for part in apart)),
    ]


def thumbnail(data: bytes, side: int, least: int) -> np.ndarray:
    """`side` px on the long side, of what is decoded with at least `least`; 0: all of it.

    The short side as the picture's.
    """
    with PIL.Image.open(io.BytesIO(data)) as opened:
        width, height = opened.size
    scale = side / max(width, height)
    return fit.resize(
        decode.decode(data, LIMIT, least).rgb, round(width * scale), round(height * scale), "area"
    )


def pictures(count: int, pixels: int = PIXELS) -> list[PIL.Image.Image]:
    """Art of so many pixels; drawn where there is none: soft colors under black strokes."""
    paths = (
        sorted(path for path in SHARED.glob("*") if path.suffix in (".png", ".jpg", ".webp"))
        if SHARED.is_dir()
        else []
    )
    if not paths:
        return [_drawn(seed) for seed in range(count)]
    loaded = [PIL.Image.open(path).convert("RGB") for path in paths[:: max(1, len(paths) // count)][:count]]
    scales = [(pixels / (art.width * art.height)) ** 0.5 for art in loaded]
    return [
        art.resize((round(art.width * by), round(art.height * by)), PIL.Image.Resampling.LANCZOS)
        for art, by in zip(loaded, scales, strict=True)
    ]


def _drawn(seed: int) -> PIL.Image.Image:
    rng = np.random.default_rng(seed)
    drawn = cv2.resize(
        rng.integers(60, 256, (6, 6, 3), np.uint8), (1000, 1000), interpolation=cv2.INTER_CUBIC
    )
    for line in rng.integers(0, 1000, (120, 4)).tolist():
        cv2.line(drawn, line[:2], line[2:], (20, 20, 20), 3, cv2.LINE_AA)
    return PIL.Image.fromarray(drawn)


def encoded(art: PIL.Image.Image, mode: str, form: str, options: dict[str, object]) -> bytes:
    if mode == "I;16":
        art = PIL.Image.fromarray(np.asarray(art.convert("L")).astype(np.uint16) * 257)
    elif mode == "P":
        art = art.quantize(256)
    file = io.BytesIO()
    (art if mode in ("I;16", "P") else art.convert(mode)).save(file, form, **options)
    return file.getvalue()


def row(files: list[bytes], rounds: int) -> list[str]:
    ways = {"Pillow": by_pillow, "OpenCV": by_opencv, "ours": by_ours}
    seen = {name: [way(data) for data in files] for name, way in ways.items()}
    able = {name: way for name, way in ways.items() if all(picture is not None for picture in seen[name])}
    took = least({name: _all_of(way, files) for name, way in able.items()}, rounds)
    times = [f"{took[name] * 1000 / len(files):.1f}" if name in took else "—" for name in ways]
    factors = [f"{took[name] / took['ours']:.2f}" if name in took else "—" for name in ("Pillow", "OpenCV")]
    apart = [difference(seen[name], seen["Pillow"]) if name in able else "—" for name in ("ours", "OpenCV")]
    return [f"{sum(map(len, files)) / 1000 / len(files):,.0f}", *times, *factors, *apart]


def _all_of(way: Callable[[bytes], Any], files: list[bytes]) -> Callable[[], list[Any]]:
    return lambda: [way(data) for data in files]


def least(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of the fastest of `rounds` calls, taken in turn: other load strikes all alike."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            way()
            took[name].append(time.process_time() - start)
    return {name: min(times) for name, times in took.items()}


def difference(seen: list[np.ndarray], wanted: list[np.ndarray]) -> str:
    apart = [np.abs(one.astype(np.int16) - other) for one, other in zip(seen, wanted, strict=True)]
    return f"{max(int(part.max()) for part in apart)}, {np.mean([part.mean() for part in apart]):.3f}"


def by_pillow(data: bytes) -> np.ndarray:
    opened = PIL.Image.open(io.BytesIO(data))
    if opened.mode.startswith("I;16"):
        return np.repeat((np.asarray(opened) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(opened.convert("RGB"))


def by_opencv(data: bytes) -> np.ndarray | None:
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def by_ours(data: bytes) -> np.ndarray:
    return decode.decode(data, LIMIT).rgb


if __name__ == "__main__":
    main()
