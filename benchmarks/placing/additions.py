"""More things laid on a picture than copies.overlays has: balloons anywhere, and another ground."""

import cv2
import numpy as np
from PIL import Image, ImageDraw

from copies.lettering import centered, font, sentence, wrapped

Rng = np.random.Generator
INK = (20, 20, 24)
TRIES = 30  # places at which a balloon is tried, until it covers no other one
PAPER, GROUND = 250, 0.15  # gray levels from which paper is white; share that it takes, at least


def scattered(share: float, image: Image.Image, rng: Rng) -> Image.Image:
    """One to four balloons anywhere, as large together as so much of the picture."""
    image = image.copy()
    count, boxes = int(rng.integers(1, 5)), []
    for _ in range(count):
        high = np.sqrt(share / count * image.width * image.height / (np.pi / 4) / rng.uniform(1.1, 2.2))
        wide = share / count * image.width * image.height / (np.pi / 4) / high
        boxes.append(_free(np.minimum((wide, high), image.size), image.size, boxes, rng))
        _balloon(image, boxes[-1], rng)
    return image


def _free(size: np.ndarray, page: tuple[int, int], boxes: list[np.ndarray], rng: Rng) -> np.ndarray:
    """(left, top, right, bottom) in the page that meets none of the boxes, if there is room."""
    for _ in range(TRIES):
        corner = rng.uniform(0, 1, 2) * (np.array(page) - size)
        box = np.concatenate([corner, corner + size])
        if not any((box[:2] < other[2:]).all() and (other[:2] < box[2:]).all() for other in boxes):
            break
    return box


def _balloon(image: Image.Image, box: np.ndarray, rng: Rng) -> None:
    draw, (left, top, right, bottom) = ImageDraw.Draw(image), box.tolist()
    draw.ellipse(
        (left, top, right, bottom), fill="white", outline=INK, width=max(1, round(min(image.size) / 160))
    )
    letters = font(min((bottom - top) / 6, (right - left) / 9))
    text = wrapped(sentence(rng, 3, 7), letters, (right - left) * 0.7)
    centered(draw, (left, top, right, bottom), text, fill=INK, font=letters)


def on_black(image: Image.Image, _: Rng) -> Image.Image | None:
    """The white paper around what is drawn gets black; None: there is little of it."""
    pixels = np.asarray(image.convert("RGB")).copy()
    _, parts = cv2.connectedComponents((pixels.min(2) >= PAPER).astype(np.uint8), connectivity=4)
    rim = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    ground = np.isin(parts, rim[rim > 0])
    if ground.mean() < GROUND:
        return None
    pixels[ground] = 0
    return Image.fromarray(pixels)
