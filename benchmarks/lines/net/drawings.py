"""True pairs from free vector drawings: what is taken of each source, rendered with and without its colors.

A drawing's truth is the same drawing in black ink on white (svg.py), or the source's own black version.
Left out: whatever is kept apart for scoring (../shared/README.md), every picture of ../shared, and the
packages of the half of the sprites that styles are checked with.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lines.net import svg

SIDE = 512
AVATARS = {  # DiceBear's styles with lines that nothing is checked with: name, artist, license, how many
    "adventurer": ("Lisa Wischofsky", "CC-BY-4.0", 240),
    "lorelei": ("Lisa Wischofsky", "CC0-1.0", 140),
    "croodles": ("vijay verma", "CC-BY-4.0", 140),
    "dylan": ("Natalia Spivak", "CC-BY-4.0", 40),
}
ICONS = {
    "streamline-emojis": (400, 80),
    "streamline-freehand-color": (400, 254),
}  # CC-BY-4.0: count, what is ink
EMOJI, CLIPS = 700, 2200
APART = re.compile(r"bw|b_w|b&w|black_?(and_?)?white|hummer|hiking_boot|fall_scene", re.IGNORECASE)


@dataclass(frozen=True)
class Drawing:
    """A drawing as its vectors, with its source for the card."""

    name: str
    source: str
    artist: str
    license: str
    color: str  # SVG
    line: str  # SVG: the ink alone, in black
    width: int = SIDE  # px to render it at


def drawings(modules: Path, clip_art: Path, shared: Path, scratch: Path) -> Iterator[Drawing]:
    """Every drawing that pairs are made of, in a fixed order."""
    yield from _avatars(modules, scratch)
    for name, (count, dark) in ICONS.items():
        yield from _icons(modules, name, count, dark)
    yield from _emoji(modules / "openmoji", {_stem(p) for p in (shared / "openmoji").glob("*_line.png")})
    yield from _clips(clip_art, {_stem(p) for p in (shared / "openclipart-svg").glob("*_line.png")})


def render(jobs: list[dict[str, object]], modules: Path) -> None:
    """Let node draw a list of jobs."""
    text = "\n".join(json.dumps(job) for job in jobs)
    script = Path(__file__).with_name("render.mjs")
    command = ["node", str(script), str(modules)]  # the one on PATH
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)


def _spread(items: list[Path] | list[str], count: int) -> list:
    """So many of a list, evenly taken."""
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).astype(int))]


def _stem(path: Path) -> str:
    return path.name.removesuffix("_line.png")


def _avatars(modules: Path, scratch: Path) -> Iterator[Drawing]:
    for style, (artist, terms, count) in AVATARS.items():
        names = [f"{style}-net{n:03d}" for n in range(count)]
        render(
            [{"avatar": style, "seed": name, "out": str(scratch / f"{name}.svg")} for name in names], modules
        )
        for name in names:
            color = (scratch / f"{name}.svg").read_text(encoding="utf-8")
            line = svg.lines_only(color)
            if line:
                yield Drawing(name, f"DiceBear {style} 9.4.3", artist, terms, color, line)


def _icons(modules: Path, name: str, count: int, dark: int) -> Iterator[Drawing]:
    icons = json.loads((modules / f"@iconify-json/{name}/icons.json").read_text(encoding="utf-8"))
    side = icons["width"]
    for icon in _spread(sorted(icons["icons"]), count):
        body = icons["icons"][icon]["body"]
        color = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}">{body}</svg>'
        line = svg.lines_only(color, dark)
        if line:
            yield Drawing(icon, f"{name} (Iconify)", "Streamline", "CC-BY-4.0", color, line)


def _emoji(package: Path, apart: set[str]) -> Iterator[Drawing]:
    files = sorted((package / "black/svg").glob("*.svg"))
    files = [p for p in files if p.stem not in apart and "1F3F" not in p.stem[4:] and p.stem[:4] != "1F1E"]
    for path in _spread(files, EMOJI):
        color = (package / "color/svg" / path.name).read_text(encoding="utf-8")
        line = path.read_text(encoding="utf-8")
        yield Drawing(
            path.stem, "OpenMoji 17.0.0", "OpenMoji, HfG Schwäbisch Gmünd", "CC-BY-SA-4.0", color, line
        )


def _clips(folder: Path, apart: set[str]) -> Iterator[Drawing]:
    """One file of each name; none that has a black and white version, which may be kept apart."""
    by_name = {path.stem: path for path in sorted(folder.rglob("*.svg"), reverse=True)}
    apart = apart | {re.sub(r"_?bw", "", n, flags=re.IGNORECASE) for n in by_name if APART.search(n)}
    names = sorted(
        n for n in by_name if n not in apart and not APART.search(n) and "flag" not in str(by_name[n])
    )
    for name in _spread(names, CLIPS):
        color = by_name[name].read_text(encoding="utf-8", errors="replace")
        line = svg.lines_only(color) if len(color) < 300_000 else None
        if line:
            yield Drawing(
                name, "Open Clip Art Library 0.18", svg.creator(color), "public domain", color, line, 900
            )


def opened(color: Path, line: Path) -> np.ndarray | None:
    """A rendered pair as it is stored, uint8 (512, 512, 5); None where it is no drawing with lines."""
    rgba, ink = cv2.imread(str(color), cv2.IMREAD_UNCHANGED), cv2.imread(str(line), cv2.IMREAD_UNCHANGED)
    if rgba is None or ink is None or rgba.shape != ink.shape or rgba.ndim != 3 or rgba.shape[2] != 4:
        return None
    rgba = np.ascontiguousarray(rgba[..., [2, 1, 0, 3]])
    return _stored(rgba, _blackness(ink))


def _blackness(ink: np.ndarray) -> np.ndarray:
    """Opacity of the ink, from black and white with transparency."""
    gray = ink[..., 0].astype(np.uint16)
    return ((255 - gray) * ink[..., 3] // 255).astype(np.uint8)


def _stored(rgba: np.ndarray, ink: np.ndarray) -> np.ndarray | None:
    rows, columns = np.flatnonzero(rgba[..., 3].any(1)), np.flatnonzero(rgba[..., 3].any(0))
    if not len(rows) or not _has_lines(ink):
        return None
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    page = np.dstack([on_white(rgba), ink, rgba[..., 3]])[box]
    if max(page.shape[:2]) < SIDE // 2:
        return None
    return squared(page)


def _has_lines(ink: np.ndarray) -> bool:
    """Some ink, not much, and not all of it deep."""
    inked = (ink > 128).astype(np.uint8)
    deep = cv2.distanceTransform(inked, cv2.DIST_L2, 3) > max(ink.shape) / 80
    return 0.01 < inked.mean() < 0.4 and deep.sum() < 0.8 * inked.sum()


def on_white(rgba: np.ndarray) -> np.ndarray:
    """A picture with transparency on white, uint8 (h, w, 3)."""
    alpha = rgba[..., 3:] / 255.0
    return np.round(rgba[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def squared(page: np.ndarray) -> np.ndarray:
    """A picture (h, w, 5) at 512 px in the middle of a white square without ink."""
    scale = (SIDE - 24) / max(page.shape[:2])
    size = (max(1, round(page.shape[1] * scale)), max(1, round(page.shape[0] * scale)))
    channels = [
        cv2.resize(np.ascontiguousarray(page[..., k : k + 3]), size, interpolation=cv2.INTER_AREA)
        for k in (0, 2)
    ]
    page = np.dstack([channels[0], channels[1][..., 1:]])
    square = np.zeros((SIDE, SIDE, 5), np.uint8)
    square[..., :3] = 255
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = page
    return square
