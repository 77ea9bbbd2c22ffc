"""Grounds without lines: photos and paintings as they are, and colors, gradients and dabs made by code."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

SIDE = 512
PHOTOS = {  # scikit-image's own, by what its README says of each
    "astronaut.png": ("NASA", "public domain"),
    "rocket.jpg": ("SpaceX", "CC0-1.0"),
    "coffee.png": ("Rachel Michetti", "CC0-1.0"),
    "chelsea.png": ("Stefan van der Walt", "CC0-1.0"),
    "hubble_deep_field.jpg": ("NASA", "public domain"),
}
WALLPAPERS = (
    "lomiri-wallpapers-16.04 lomiri-wallpapers-20.04"  # Debian's; artist and license by its copyright file
)


class Ground:
    """A picture's path and whose it is."""

    def __init__(self, path: Path, source: str, artist: str, terms: str) -> None:
        self.path, self.source, self.artist, self.license = path, source, artist, terms

    @property
    def name(self) -> str:
        """The file's; of a wallpaper with a folder for its sizes, that one's."""
        return self.path.parents[2].name if self.path.parent.name == "images" else self.path.name


def listed(art: Path, debian: Path, photos: Path) -> Iterator[Ground]:
    """Photos and paintings to learn from, in a fixed order."""
    with (art / "looks/split.csv").open(newline="", encoding="utf-8") as file:
        fit = [r["package"] for r in csv.DictReader(file) if (r["kind"], r["half"]) == ("paintings", "fit")]
    for path in sorted((art / "looks/paintings").iterdir()):
        package = path.name.split("_")[0]
        if package in fit:
            yield Ground(path, *PAINTINGS[package])
    for name in WALLPAPERS.split():
        yield from _lomiri(debian / name)
    yield from _plasma(debian / "plasma-workspace-wallpapers/usr/share/wallpapers")
    for name, (artist, terms) in PHOTOS.items():
        yield Ground(photos / name, "scikit-image", artist, terms)


PAINTINGS = {  # source, artists, license of each package
    "fillets": ("fillets-ng-data", "ALTAR interactive", "GPL-2.0-or-later"),
    "freedroidrpg": ("freedroidrpg-data", "the FreedroidRPG team", "GPL-2.0-or-later"),
    "kdewallpapers": (
        "kdewallpapers",
        "KDE and the wallpapers' authors",
        "GPL-2.0-or-later / LGPL-3.0 / CC-BY-SA",
    ),
}


def _lomiri(root: Path) -> Iterator[Ground]:
    text = next(root.glob("usr/share/doc/*/copyright")).read_text(encoding="utf-8")
    terms = dict(re.findall(r"^Files: \S+?/(\S+)\nCopyright:.*\nLicense: (\S+)", text, re.MULTILINE))
    for path in sorted((root / "usr/share/backgrounds").glob("*_by_*.jpg")):
        if path.name in terms:
            yield Ground(
                path, root.name, path.stem.split("_by_")[1].replace("_", " ").strip(), terms[path.name]
            )


def _plasma(root: Path) -> Iterator[Ground]:
    for folder in sorted(root.iterdir()):
        sizes = sorted((folder / "contents/images").glob("1920x1080.*")) or sorted(
            (folder / "contents/images").glob("[1-9]*x*.*"), key=lambda p: p.stat().st_size
        )
        if sizes and folder.name != "Grey" and (folder / "metadata.json").is_file():
            of = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))["KPlugin"]
            yield Ground(sizes[0], "plasma-workspace-wallpapers", of["Authors"][0]["Name"], of["License"])


def tiles(path: Path) -> Iterator[np.ndarray]:
    """A picture at 512 px, and parts of it in more detail, each uint8 (512, 512, 3)."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    rgb = np.ascontiguousarray(bgr[..., ::-1])
    for share in (1.0, 0.6):
        side = round(min(rgb.shape[:2]) * share)
        if side < SIDE // 2:
            continue
        for top in {0, rgb.shape[0] - side} if share < 1 else {(rgb.shape[0] - side) // 2}:
            left = (rgb.shape[1] - side) // 2
            yield cv2.resize(
                rgb[top : top + side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA
            )


def made(rng: np.random.Generator, pictures: np.ndarray, side: int = SIDE) -> np.ndarray:
    """A ground of any kind, uint8 (side, side, 3); pictures: (n, 512, 512, 3)."""
    kind = rng.random()
    if kind < 0.22:
        return np.full((side, side, 3), 255 - rng.integers(0, 8), np.uint8)
    if kind < 0.42:
        return np.broadcast_to(_color(rng), (side, side, 3)).copy()
    if kind < 0.6:
        corners = np.stack([_color(rng), _color(rng), _color(rng), _color(rng)]).reshape(2, 2, 3)
        return cv2.resize(corners, (side, side), interpolation=cv2.INTER_LINEAR)
    if kind < 0.78:
        return dabs(rng, side)
    top, left = rng.integers(0, SIDE - side + 1, 2)
    return pictures[rng.integers(len(pictures)), top : top + side, left : left + side].copy()


def dabs(rng: np.random.Generator, side: int) -> np.ndarray:
    """Broad soft blots of color with dabs upon them."""
    page = np.broadcast_to(_color(rng).astype(np.float32), (side, side, 3)).copy()
    for cells in (3, 9):
        noise = rng.normal(0, rng.uniform(5, 45), (cells, cells, 3)).astype(np.float32)
        page += cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(side * side * rng.uniform(0, 0.0012))):
        at, axes = rng.integers(0, side, 2).tolist(), rng.integers(3, 30, 2).tolist()
        tone = (page[at[1], at[0]] + rng.normal(0, 15, 3)).tolist()
        cv2.ellipse(page, at, axes, int(rng.integers(180)), 0, 360, tone, -1, cv2.LINE_AA)
    soft = rng.uniform(0.3, 2)
    return np.clip(cv2.GaussianBlur(page, (0, 0), soft), 0, 255).astype(np.uint8)


def _color(rng: np.random.Generator) -> np.ndarray:
    gray = rng.integers(0, 256)
    spread = rng.integers(-70, 71, 3) if rng.random() < 0.7 else np.zeros(3, int)
    return np.clip(gray + spread, 0, 255).astype(np.uint8)
