"""Drawings with enough in them that their parts can be told: figures, stars and strokes on a soft ground."""

import cv2
import numpy as np

Pixels = np.ndarray


def scene(seed: int, width: int = 420, height: int = 340) -> Pixels:
    """A drawing of some thirty shapes, outlined and filled, each in its place."""
    rng = np.random.default_rng(seed)
    across = np.linspace(0, 1, width)[None, :, None]
    one, other = rng.integers(150, 245, (2, 3))
    rgb = np.repeat(one * (1 - across) + other * across, height, axis=0).astype(np.uint8)
    for _ in range(34):
        color, center = rng.integers(20, 235, 3).tolist(), (rng.random(2) * (width, height)).astype(int)
        radius, corners = rng.integers(12, 46), rng.integers(4, 11)
        angles = np.sort(rng.random(corners)) * 2 * np.pi
        reach = radius * (0.45 + 0.55 * rng.random(corners))
        points = center + np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None]
        polygon = [np.rint(points).astype(np.int32)]
        cv2.fillPoly(rgb, polygon, color, cv2.LINE_AA)
        cv2.polylines(rgb, polygon, True, (15, 15, 25), int(rng.integers(1, 4)), cv2.LINE_AA)
    return rgb


def ballooned(rgb: Pixels, share: float = 0.12) -> Pixels:
    """The drawing with a white balloon over so much of it, in its upper right."""
    height, width = rgb.shape[:2]
    drawn = rgb.copy()
    area = share * height * width
    axes = int((area / np.pi * 1.6) ** 0.5), int((area / np.pi / 1.6) ** 0.5)
    center = width - axes[0] - 12, axes[1] + 12
    cv2.ellipse(drawn, center, axes, 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.ellipse(drawn, center, axes, 0, 0, 360, (0, 0, 0), 2, cv2.LINE_AA)
    for n in range(3):
        start = center[0] - axes[0] // 2, center[1] - axes[1] // 3 + n * axes[1] // 3
        cv2.line(drawn, start, (start[0] + axes[0], start[1]), (0, 0, 0), 2, cv2.LINE_AA)
    return drawn


def paged(panels: list[Pixels], gutter: int = 14) -> Pixels:
    """A white page with panels one under the other, framed in black."""
    width = max(panel.shape[1] for panel in panels)
    rows = []
    for panel in panels:
        framed = cv2.copyMakeBorder(panel, 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        beside = width + 6 + 2 * gutter - framed.shape[1]
        sides = beside // 2, beside - beside // 2
        white = cv2.BORDER_CONSTANT
        rows.append(cv2.copyMakeBorder(framed, gutter, 0, *sides, white, value=(255, 255, 255)))
    return cv2.copyMakeBorder(np.vstack(rows), 0, gutter, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
