"""Drawn scenes with every line known: figures, hair, eyes, folds, machines, balloons, hatching, solid blacks.

And what is no line: screentone, hard and soft shadows, light, blush, white strokes, shapes without lines,
dabs of paint. Colors are drawn anew while training, so here they only have to differ.
"""

from collections.abc import Callable

import numpy as np

from lines.net.strokes import SIDE, Color, Page, smooth, tapered

WORDS = ("WAIT!", "What is it?", "I SEE", "...", "No way", "Over here", "HA HA", "Morning", "12:45")


def scene(seed: int, ground: np.ndarray) -> np.ndarray:
    """A scene on a ground, uint8 (512, 512, 5): RGB under the ink, its opacity, where the truth is known."""
    rng = np.random.default_rng(seed)
    page = Page(rng, ground)
    for _ in range(int(rng.integers(0, 4))):
        _lineless(page)
    kinds = rng.choice(len(FIGURES), int(rng.integers(3, 9)), p=SHARES)
    for kind in kinds:
        FIGURES[kind](page)
    for extra in rng.choice(len(EXTRAS), int(rng.integers(1, 5))):
        EXTRAS[extra](page)
    return page.finished()


def color(rng: np.random.Generator, low: int = 30, high: int = 255) -> Color:
    """Any color."""
    if rng.random() < 0.25:
        gray = float(rng.integers(low, high))
        return gray, gray, gray
    return tuple(float(c) for c in rng.integers(low, high, 3))


def blob(
    rng: np.random.Generator, center: np.ndarray, radius: float, rough: float = 0.2, dots: int = 9
) -> np.ndarray:
    """A closed curve about a point."""
    angles = np.linspace(0, 2 * np.pi, dots, endpoint=False) + rng.uniform(0, 6)
    reach = radius * (1 + rough * rng.standard_normal(dots))[:, None]
    stretch = np.array([1, rng.uniform(0.6, 1.5)])
    return smooth(center + reach * stretch * np.stack([np.cos(angles), np.sin(angles)], 1), True)


def _center(page: Page) -> np.ndarray:
    return page.rng.uniform(40, SIDE - 40, 2)


def _width(page: Page) -> float:
    return float(
        page.rng.choice([0.7, 1.0, 1.3, 1.6, 2.0, 2.6, 3.4], p=[0.12, 0.2, 0.2, 0.18, 0.14, 0.1, 0.06])
    )


def _outlined(page: Page, points: np.ndarray, width: float) -> None:
    """Ink round a shape: even, swelling, or with gaps."""
    rng = page.rng
    swell = width * (
        1 + 0.5 * np.sin(np.linspace(0, 2 * np.pi * rng.integers(1, 4), len(points)) + rng.uniform(0, 6))
    )
    page.stroke(points, swell if rng.random() < 0.5 else width)


def _shadowed(page: Page, points: np.ndarray, center: np.ndarray, radius: float) -> None:
    """Shadows and light on a shape: none of them has a line."""
    rng = page.rng
    for _ in range(int(rng.integers(0, 4))):
        factor = (
            tuple(rng.uniform(0.55, 0.92) * rng.uniform(0.92, 1.05, 3))
            if rng.random() < 0.7
            else (1.25, 1.25, 1.2)
        )
        spot = blob(rng, center + rng.normal(0, radius * 0.6, 2), radius * rng.uniform(0.15, 0.8), 0.3)
        page.shade(spot, factor, points, soft=float(rng.choice([0, 0, 2, 5, 12])))


def _figure(page: Page) -> None:
    """A shape with an outline, shadows, and folds that end free."""
    rng, center, radius, width = page.rng, _center(page), page.rng.uniform(25, 130), _width(page)
    points = blob(rng, center, radius, rng.uniform(0.05, 0.35))
    page.fill(points, color(rng), color(rng) if rng.random() < 0.5 else None)
    _shadowed(page, points, center, radius)
    for _ in range(int(rng.integers(0, 7))):
        _fold(page, center, radius, width)
    _outlined(page, points, width)


def _fold(page: Page, center: np.ndarray, radius: float, width: float) -> None:
    rng = page.rng
    start = center + rng.normal(0, radius * 0.4, 2)
    path = smooth(start + np.cumsum(rng.normal(0, radius * 0.18, (4, 2)), 0), False)
    page.stroke(path, tapered(len(path), width, 1.0 if rng.random() < 0.5 else 0.3, 0.2))


def _face(page: Page) -> None:
    """A face: jaw, eyes, brows, mouth, nose, blush, and locks of hair over it."""
    rng, center, size, width = page.rng, _center(page), page.rng.uniform(35, 110), _width(page)
    tone = rng.uniform(90, 255)
    skin = (min(255.0, tone * 1.05), tone * rng.uniform(0.75, 0.92), tone * rng.uniform(0.6, 0.85))
    jaw = smooth(
        center
        + size
        * np.array(
            [(-0.8, -0.6), (-0.75, 0.2), (-0.35, 0.8), (0, 1), (0.35, 0.8), (0.75, 0.2), (0.8, -0.6), (0, -1)]
        ),
        True,
    )
    hair = color(rng, 20)
    if rng.random() < 0.7:
        _hair_back(page, center, size, hair, width)
    page.fill(jaw, skin)
    _shadowed(page, jaw, center, size)
    for side in (-1, 1):
        cheek = center + size * np.array([side * 0.45, 0.35])
        page.shade(blob(rng, cheek, size * 0.16, 0.05), (1.0, 0.85, 0.85), jaw, soft=size * 0.06)
    _outlined(page, jaw, width)
    for side in (-1, 1):
        _eye(page, center + size * np.array([side * 0.38, 0.1]), size * rng.uniform(0.14, 0.24), width)
    mouth = center + size * np.array([(-0.15, 0.62), (0, rng.uniform(0.6, 0.72)), (0.15, 0.62)])
    page.stroke(smooth(mouth, False), tapered(17, width * 0.8))
    page.stroke(center + size * np.array([(0.0, 0.3), (0.06, 0.42), (0.0, 0.44)]), width * 0.6)
    for _ in range(int(rng.integers(3, 9))):
        _lock(page, center + size * np.array([rng.uniform(-0.8, 0.8), -0.9]), size, hair, width)


def _hair_back(page: Page, center: np.ndarray, size: float, hair: Color, width: float) -> None:
    points = blob(page.rng, center - [0, size * 0.2], size * 1.15, 0.12, 14)
    page.fill(points, hair, tuple(c * 0.8 for c in hair))
    _outlined(page, points, width)


def _lock(page: Page, root: np.ndarray, size: float, hair: Color, width: float) -> None:
    """A lock of hair: a tapering shape with an outline and strands, and light across it."""
    rng = page.rng
    drop = np.array([rng.uniform(-0.6, 0.6), rng.uniform(0.6, 1.5)]) * size
    bend, half = rng.normal(0, 0.18, 2) * size, rng.uniform(0.06, 0.2) * size
    middle, tip = root + drop / 2 + bend, root + drop
    left = smooth(np.array([root - [half, 0], middle - [half, 0], tip]), False)
    right = smooth(np.array([root + [half, 0], middle + [half, 0], tip]), False)
    shape = np.concatenate([left, right[::-1]])
    page.fill(shape, hair, tuple(min(255.0, c * rng.uniform(0.8, 1.3)) for c in hair))
    if rng.random() < 0.5:
        page.shade(
            blob(rng, middle, half * 1.5, 0.2), (1.35, 1.35, 1.3), shape, soft=float(rng.choice([0, 2]))
        )
    for side in (left, right):
        page.stroke(side, tapered(len(side), width, 0.6, 0.3))
    for share in rng.uniform(0.2, 0.8, int(rng.integers(0, 4))):
        strand = left * share + right * (1 - share)
        page.stroke(strand[2:-1], tapered(len(strand) - 3, width * 0.6, 0.2, 0.2))


def _eye(page: Page, center: np.ndarray, radius: float, width: float) -> None:
    """An eye: white, iris in a gradient, pupil and lash of solid ink, lights without lines."""
    rng = page.rng
    page.fill(blob(rng, center, radius, 0.03), (250, 250, 252))
    iris = blob(rng, center, radius * 0.75, 0.02)
    page.fill(iris, color(rng, 20, 140), color(rng, 100))
    page.stroke(iris, width * 0.7)
    page.solid(blob(rng, center, radius * 0.35, 0.02))
    lash = smooth(center + radius * np.array([(-1.1, 0.1), (-0.6, -0.8), (0.4, -0.95), (1.15, -0.1)]), False)
    page.stroke(lash, tapered(len(lash), max(width, radius * 0.25), 0.4, 0.5))
    brow = lash - [0, radius * rng.uniform(0.5, 0.9)]
    page.stroke(brow, tapered(len(brow), width, 0.4, 0.2))
    for _ in range(int(rng.integers(1, 3))):
        page.paint(
            center + rng.normal(0, radius * 0.3, 2) + np.array([(0, 0), (0.6, 0.6)]),
            radius * 0.25,
            (255, 255, 255),
        )


def _machine(page: Page) -> None:
    """Straight edges: a box with panels and rivets."""
    rng, center, width = page.rng, _center(page), _width(page)
    for _ in range(int(rng.integers(1, 5))):
        at, half = center + rng.normal(0, 40, 2), rng.uniform(10, 80, 2)
        turn = rng.uniform(0, 3)
        axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        corners = at + (np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) * half) @ axes
        page.fill(corners, color(rng), color(rng))
        _shadowed(page, corners, at, float(half.mean()))
        page.stroke(corners, width)
        for share in rng.uniform(0.1, 0.9, int(rng.integers(0, 4))):
            ends = np.array(
                [corners[0] * share + corners[1] * (1 - share), corners[3] * share + corners[2] * (1 - share)]
            )
            page.stroke(ends, width * 0.7)


def _balloon(page: Page) -> None:
    """A balloon or a box with words."""
    rng, center, radius, width = page.rng, _center(page), page.rng.uniform(30, 80), _width(page)
    points = blob(rng, center, radius, 0.04, 12)
    if rng.random() < 0.3:
        points = center + radius * np.array([(-1, -0.5), (1, -0.5), (1, 0.5), (-1, 0.5), (-1, -0.5)])
    page.fill(points, (255, 255, 255) if rng.random() < 0.8 else color(rng, 150))
    for n in range(int(rng.integers(1, 4))):
        page.text(
            str(rng.choice(WORDS)), (center[0] - radius * 0.7, center[1] - 12 + 18 * n), rng.uniform(8, 16)
        )
    if rng.random() < 0.85:
        page.stroke(points, width)
    else:
        page.doubt(points, 5)


def _panels(page: Page) -> None:
    """A gutter between panels, with borders."""
    rng, width = page.rng, _width(page) * 1.4
    at, gap, lean = rng.uniform(80, SIDE - 80), rng.uniform(3, 9), rng.uniform(-30, 30)
    ends = np.array([(0.0, at), (float(SIDE), at + lean)])
    ends = ends[:, ::-1] if rng.random() < 0.5 else ends
    offset = np.array([0.0, gap]) if ends[0, 0] == 0 else np.array([gap, 0.0])
    page.fill(np.concatenate([ends - offset, ends[::-1] + offset]), (255, 255, 255))
    page.stroke(ends - offset, width)
    page.stroke(ends + offset, width)


def _hatching(page: Page) -> None:
    """Rows of strokes, crossed or not, and speed lines."""
    rng, center, reach = page.rng, _center(page), page.rng.uniform(20, 70)
    for _ in range(int(rng.integers(1, 3))):
        turn, width = rng.uniform(0, 3), rng.uniform(0.5, 1.3)
        along = np.array([np.cos(turn), np.sin(turn)])
        across, pitch = along[::-1] * [1, -1], rng.uniform(3.5, 9)
        for n in range(int(2 * reach / pitch)):
            start = center + across * (n * pitch - reach) + along * rng.normal(0, 4)
            path = np.linspace(start - along * reach * 0.5, start + along * reach * 0.5, 8)
            page.stroke(path, tapered(8, width, 0.6, 0.3))


def _lineless(page: Page) -> None:
    """A shape without a line, which might have one for all we know; or a shadow, a glow, which have none."""
    rng, center, radius = page.rng, _center(page), page.rng.uniform(20, 170)
    points = blob(rng, center, radius, 0.25)
    if rng.random() < 0.4:
        page.shade(points, tuple(rng.uniform(0.6, 1.4, 3)), soft=float(rng.choice([0, 3, 15])))
    else:
        page.fill(points, color(rng), color(rng))
        page.doubt(points, 4)


def _white_stroke(page: Page) -> None:
    """Light strokes and outlines: paint, not ink."""
    rng = page.rng
    path = smooth(_center(page) + np.cumsum(rng.normal(0, 45, (5, 2)), 0), False)
    page.paint(path, rng.uniform(0.8, 4), color(rng, 200))


def _scribbles(page: Page) -> None:
    """Loose strokes over everything."""
    rng = page.rng
    for _ in range(int(rng.integers(1, 8))):
        path = smooth(_center(page) + np.cumsum(rng.normal(0, 30, (5, 2)), 0), False)
        page.stroke(path, tapered(len(path), _width(page), 0.3, 0.3))


def _toned(page: Page) -> None:
    rng = page.rng
    page.screentone(
        blob(rng, _center(page), rng.uniform(30, 120), 0.3),
        rng.uniform(3, 7),
        rng.uniform(0.1, 0.4),
        rng.uniform(0.2, 0.8),
    )


def _black(page: Page) -> None:
    """An area of solid ink."""
    rng = page.rng
    page.solid(blob(rng, _center(page), rng.uniform(6, 45), 0.3))


def _across(page: Page) -> None:
    """A shadow across everything."""
    rng = page.rng
    page.shade(
        blob(rng, _center(page), rng.uniform(60, 220), 0.3),
        tuple(rng.uniform(0.6, 0.95, 3)),
        soft=float(rng.choice([0, 0, 8])),
    )


FIGURES: list[Callable[[Page], None]] = [_figure, _face, _machine, _balloon]
SHARES = [0.4, 0.35, 0.15, 0.1]
EXTRAS: list[Callable[[Page], None]] = [
    _panels,
    _hatching,
    _white_stroke,
    _scribbles,
    _toned,
    _black,
    _across,
]
