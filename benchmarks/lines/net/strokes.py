"""A page drawn on in layers at three times its size: colors, ink, and where nobody says what is right.

A fill hides the ink under it, in the truth as on the page; shadows, light and white strokes leave none.
"""

import cv2
import numpy as np

SIDE, FINE = 512, 3  # px; how much finer it is drawn
Color = tuple[float, float, float]


class Page:
    """A page as far as it is drawn; points are (n, 2) in px of SIDE."""

    def __init__(self, rng: np.random.Generator, ground: np.ndarray) -> None:
        """Begin on a ground, uint8 (512, 512, 3)."""
        self.rng, self.size = rng, SIDE * FINE
        self.rgb = cv2.resize(ground, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
        self.ink = np.zeros((self.size, self.size), np.uint8)
        self.unsure = np.zeros((self.size, self.size), np.uint8)

    def finished(self) -> np.ndarray:
        """At its own size, uint8 (512, 512, 5): colors, ink, and 255 where the truth is known."""
        layers = [
            cv2.resize(x, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            for x in (self.rgb, self.ink, self.unsure)
        ]
        return np.dstack([layers[0], layers[1], 255 - layers[2]])

    def fill(self, points: np.ndarray, color: Color, other: Color | None = None) -> None:
        """Paint a shape, in a gradient to another color if there is one; what lay under it is hidden."""
        box, mask = self._mask(points)
        if not mask.size:
            return
        part = self.rgb[box]
        part[mask] = self._gradient(mask.shape, color, other or color)[mask]
        self.ink[box][mask], self.unsure[box][mask] = 0, 0

    def stroke(self, points: np.ndarray, widths: np.ndarray | float, opacity: int = 255) -> None:
        """Ink along a path, as wide (in px) as is said for each point."""
        self._path(self.ink, points, widths, opacity)

    def solid(self, points: np.ndarray) -> None:
        """A shape all of ink."""
        box, mask = self._mask(points)
        self.ink[box][mask] = 255

    def paint(self, points: np.ndarray, width: float, color: Color) -> None:
        """A stroke of color that is no ink, and hides what is: a white outline, a highlight, a ribbon."""
        layer = np.zeros_like(self.ink)
        self._path(layer, points, width, 255)
        mask = layer > 0
        self.rgb[mask], self.ink[mask] = color, 0

    def shade(
        self, points: np.ndarray, factor: Color, within: np.ndarray | None = None, soft: float = 0
    ) -> None:
        """Darken or lighten a shape (within another), its border hard or soft; neither has a line."""
        box, mask = self._mask(points if within is None else within)
        if not mask.size:
            return
        share = np.zeros(mask.shape, np.uint8)
        cv2.fillPoly(share, [_fine(points) - [box[1].start, box[0].start]], 255)
        if soft:
            share = _softened(share, soft)
        weight = (share * mask / 255.0)[..., None]
        part = self.rgb[box]
        part[:] = np.clip(part * (1 + weight * (np.array(factor) - 1)), 0, 255).astype(np.uint8)

    def doubt(self, points: np.ndarray, width: float) -> None:
        """Say that the truth along a path isn't known."""
        self._path(self.unsure, points, width, 255)

    def screentone(self, points: np.ndarray, pitch: float, share: float, factor: float) -> None:
        """Dots in a shape; not lines."""
        box, mask = self._mask(points)
        if not mask.size:
            return
        rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]] * (2 * np.pi / (pitch * FINE))
        dots = (np.sin(rows + columns) + np.sin(rows - columns)) / 2 > 1 - 2 * share
        part = self.rgb[box]
        part[mask & dots] = (part[mask & dots] * factor).astype(np.uint8)

    def text(self, words: str, at: tuple[float, float], height: float) -> None:
        """Lettering in ink."""
        font = int(
            self.rng.choice([cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_SIMPLEX])
        )
        corner = (int(at[0] * FINE), int(at[1] * FINE))
        cv2.putText(
            self.ink,
            words,
            corner,
            font,
            height * FINE / 22,
            255,
            max(2, int(height * FINE / 8)),
            cv2.LINE_AA,
        )

    def _mask(self, points: np.ndarray) -> tuple[tuple[slice, slice], np.ndarray]:
        dots = _fine(points)
        low, high = np.clip(dots.min(0), 0, self.size), np.clip(dots.max(0) + 1, 0, self.size)
        mask = np.zeros((max(0, high[1] - low[1]), max(0, high[0] - low[0])), np.uint8)
        if mask.size:
            cv2.fillPoly(mask, [dots - low], 1)
        return np.s_[low[1] : high[1], low[0] : high[0]], mask.astype(bool)

    def _path(self, layer: np.ndarray, points: np.ndarray, widths: np.ndarray | float, value: int) -> None:
        dots, widths = _fine(points), np.broadcast_to(widths, len(points))
        for a, b, width in zip(dots[:-1].tolist(), dots[1:].tolist(), widths.tolist(), strict=False):
            cv2.line(layer, a, b, value, max(1, round(width * FINE)), cv2.LINE_8)

    def _gradient(self, shape: tuple[int, ...], color: Color, other: Color) -> np.ndarray:
        steps = np.linspace(0, 1, shape[0])[:, None, None]
        rows = np.array(color) * (1 - steps) + np.array(other) * steps
        return np.broadcast_to(rows.astype(np.uint8), (*shape, 3))


def smooth(points: np.ndarray, closed: bool, steps: int = 8) -> np.ndarray:
    """A curve through some points (Catmull-Rom), (n, 2)."""
    ends = points[[-1, 0]] if closed else points[[0, -1]]
    p = np.concatenate([ends[:1], points, ends[1:], points[1:2] if closed else ends[1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    count = len(points) if closed else len(points) - 1
    parts = [_between(p[i], p[i + 1], p[i + 2], p[i + 3], t) for i in range(count)]
    return np.concatenate([*parts, points[:1] if closed else points[-1:]])


def _between(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, t: np.ndarray) -> np.ndarray:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def tapered(count: int, width: float, start: float = 0.3, end: float = 0.3) -> np.ndarray:
    """Widths along a path that is thin at its ends; `start` and `end`: of the width."""
    t = np.linspace(0, 1, count)
    return width * np.minimum(1, np.minimum(start + 4 * t, end + 4 * (1 - t)))


def _softened(share: np.ndarray, soft: float) -> np.ndarray:
    """Blurred by `soft` px, at a third of the size, where that can't be seen."""
    size = tuple(-(-side // FINE) for side in share.shape[::-1])
    small = cv2.resize(share, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(
        cv2.GaussianBlur(small, (0, 0), soft), share.shape[::-1], interpolation=cv2.INTER_LINEAR
    )


def _fine(points: np.ndarray) -> np.ndarray:
    return np.round(np.asarray(points) * FINE).astype(np.int32)
