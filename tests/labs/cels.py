"""Synthetic cels: pictures painted in layers as animation is.

Every line of them is known, and every border without one.
Strokes taper between 1 and 3 px and are anti-aliased by painting at four times the size;
a fill hides what lies under it, in the truth as in the picture.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

SIDE, FINE = 512, 4  # px; how much finer it is painted
SKIN = ((255, 222, 200), (244, 206, 178), (214, 160, 124))
CLOTH = (
    (90, 140, 210),
    (210, 80, 90),
    (120, 180, 120),
    (235, 225, 240),
    (250, 205, 90),
    (130, 100, 160),
    (90, 90, 110),
)
INKS = ((20, 16, 22), (45, 28, 30), (105, 55, 40), (150, 42, 46))  # black, soft black, brown, dark red
BLACK = (24, 20, 26)


def _blank() -> np.ndarray:
    return np.zeros((SIDE * FINE, SIDE * FINE), np.uint8)


@dataclass
class Cel:
    """A cel as far as it is painted.

    All (h, w) at the fine size: colors, share of ink, and borders where no line was drawn.
    """

    rng: np.random.Generator
    rgb: np.ndarray
    ink: np.ndarray = field(default_factory=_blank)
    bare: np.ndarray = field(default_factory=_blank)

    def fill(self, points: np.ndarray, top: tuple[int, ...], bottom: tuple[int, ...]) -> np.ndarray:
        """Paint a shape with a gradient from top to bottom; what lay under it is hidden. Returns its mask."""
        mask = cv2.fillPoly(_blank(), [_fine(points)], 1).astype(bool)
        self.rgb[mask] = np.broadcast_to(_gradient(top, bottom), self.rgb.shape)[mask]
        self.ink[mask], self.bare[mask] = 0, 0
        return mask

    def stroke(self, points: np.ndarray, widths: np.ndarray, color: tuple[int, ...]) -> None:
        """Ink along a path, its width in px at each point."""
        layer, dots = _blank(), _fine(points)
        for a, b, width in zip(dots, dots[1:], widths, strict=False):
            cv2.line(layer, a.tolist(), b.tolist(), 1, max(1, round(width * FINE)))
        mask = layer.astype(bool)
        self.rgb[mask], self.ink[mask], self.bare[mask] = color, 1, 0

    def shade(self, points: np.ndarray, within: np.ndarray, factor: float) -> None:
        """Darken what of a shape lies within a mask; its border has no line."""
        mask = cv2.fillPoly(_blank(), [_fine(points)], 1).astype(bool) & within
        self.rgb[mask] = (self.rgb[mask] * np.array([factor, factor * 0.94, factor * 0.98])).astype(np.uint8)
        border = cv2.morphologyEx(
            mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)
        ).astype(bool)
        self.bare[border & within & (self.ink == 0)] = 1


@dataclass(frozen=True)
class Painted:
    """A cel and its truth at SIDE px."""

    rgb: np.ndarray  # uint8 (h, w, 3)
    line: np.ndarray  # uint8 (h, w): black ink on white
    bare: np.ndarray  # bool (h, w): within 2 px of a border without a line, and not within 4 of one that has


def paint(seed: int) -> Painted:
    """A cel: a background, figures with outlines and unlined shadows, strands across, black hair."""
    rng = np.random.default_rng(seed)
    light = rng.integers(140, 256, (2, 3))
    cel = Cel(
        rng,
        np.broadcast_to(_gradient(light[0], light[1]), (SIDE * FINE, SIDE * FINE, 3)).astype(np.uint8).copy(),
    )
    _bare_shape(cel)
    ink = INKS[int(rng.integers(len(INKS)))]
    for n in range(int(rng.integers(3, 6))):
        _figure(cel, ink if n else INKS[2 + seed % 2], skin=n % 2 == 0)
    for _ in range(int(rng.integers(3, 8))):
        _strand(cel, BLACK if seed % 2 else ink)
    _hair(cel)
    return _reduced(cel)


def _figure(cel: Cel, ink: tuple[int, ...], skin: bool) -> None:
    """A lined shape with a shadow whose border has no line, and some strokes inside."""
    rng = cel.rng
    center, radius = rng.uniform(110, SIDE - 110, 2), rng.uniform(45, 115)
    outline = _blob(rng, center, radius)
    tones = SKIN if skin else CLOTH
    top = np.array(tones[int(rng.integers(len(tones)))])
    mask = cel.fill(outline, top, top * (1 if rng.random() < 0.5 else rng.uniform(0.75, 0.95)))
    cel.shade(
        _blob(rng, center + rng.uniform(-1, 1, 2) * radius * 0.7, radius * 0.8), mask, rng.uniform(0.72, 0.88)
    )
    for _ in range(int(rng.integers(1, 5))):
        path = _curve(rng, center + rng.uniform(-0.5, 0.5, 2) * radius, radius * rng.uniform(0.4, 0.9))
        inside = [mask[y, x] for x, y in np.clip(_fine(path), 0, SIDE * FINE - 1)]
        cel.stroke(path[inside], _taper(inside.count(True), rng.uniform(1.4, 3)), ink)
    closed = np.concatenate([outline, outline[:1]])
    cel.stroke(closed, 1 + 2 * np.abs(np.sin(np.linspace(0, rng.uniform(2, 5), len(closed)))), ink)


def _bare_shape(cel: Cel) -> None:
    """A shape of the background without any outline."""
    tone = cel.rng.integers(120, 230, 3)
    mask = cel.fill(_blob(cel.rng, cel.rng.uniform(0, SIDE, 2), cel.rng.uniform(80, 180)), tone, tone * 0.9)
    cel.bare[cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0] = 1


def _hair(cel: Cel) -> None:
    """A black area: all of it is ink."""
    points = _blob(cel.rng, cel.rng.uniform(90, SIDE - 90, 2), cel.rng.uniform(25, 60))
    cel.ink[cel.fill(points, BLACK, BLACK)] = 1


def _strand(cel: Cel, ink: tuple[int, ...]) -> None:
    path = _curve(cel.rng, cel.rng.uniform(60, SIDE - 60, 2), cel.rng.uniform(60, 200))
    cel.stroke(path, _taper(len(path), cel.rng.uniform(1.2, 3)), ink)


def _blob(rng: np.random.Generator, center: np.ndarray, radius: float) -> np.ndarray:
    """A smooth closed outline, (200, 2) px."""
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    wave = sum(rng.uniform(0, 0.35 / k) * np.cos(k * angle + rng.uniform(0, 7)) for k in (2, 3, 4, 5))
    return center + radius * (1 + wave)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _curve(rng: np.random.Generator, start: np.ndarray, length: float) -> np.ndarray:
    """A smooth open path, (100, 2) px."""
    turn = rng.uniform(0, 7) + np.cumsum(
        rng.uniform(-0.02, 0.02) + 0.02 * np.sin(np.linspace(0, rng.uniform(2, 6), 100))
    )
    return start + np.cumsum(np.stack([np.cos(turn), np.sin(turn)], axis=1), axis=0) * length / 100


def _taper(count: int, widest: float) -> np.ndarray:
    """Widths of a stroke, 1 px at its ends."""
    return 1 + (widest - 1) * np.sin(np.linspace(0, np.pi, max(count, 2)))


def _reduced(cel: Cel) -> Painted:
    rgb, ink = (
        cv2.resize(a, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for a in (cel.rgb, cel.ink * np.uint8(255))
    )
    line = 255 - ink
    near, far = (np.ones((2 * r + 1, 2 * r + 1), np.uint8) for r in (2, 4))
    bare = (
        cv2.dilate(cv2.resize(cel.bare * np.uint8(255), (SIDE, SIDE), interpolation=cv2.INTER_AREA), near) > 0
    )
    return Painted(rgb, line, bare & (cv2.dilate((line < 190).astype(np.uint8), far) == 0))


def _gradient(top: np.ndarray | tuple[int, ...], bottom: np.ndarray | tuple[int, ...]) -> np.ndarray:
    """(h, 1, 3), from one color to another."""
    share = np.linspace(0, 1, SIDE * FINE)[:, None, None]
    return np.asarray(top) * (1 - share) + np.asarray(bottom) * share


def _fine(points: np.ndarray) -> np.ndarray:
    return np.round(points * FINE).astype(np.int32)
