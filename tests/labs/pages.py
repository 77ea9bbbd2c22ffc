"""Text pages and pixel art by code.

The same for the same seed, each unlike the last in size, type, palette and what happened to the file.
"""

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

LETTERS = "eeeeetttaaaooiinnsshhrrddlucmwfgypbvkETAOSIN"


def text_page(seed):
    """A printed page, (h, w, 3): one to three columns of ragged words, set in Pillow's own font.

    Some are scanned askew with grain, some saved as JPEG.
    """
    rng = np.random.default_rng([seed, 1])
    width, size = int(rng.integers(500, 1300)), int(rng.integers(11, 30))
    paper, ink = int(rng.integers(225, 256)), int(rng.integers(0, 70))
    page = PIL.Image.new("L", (width, int(width * rng.uniform(1, 1.5))), paper)
    draw, font = PIL.ImageDraw.Draw(page), PIL.ImageFont.load_default(size)
    columns = int(rng.integers(1, 4)) if width > 35 * size else 1
    margin, across = width // 14, (width - width // 14) // columns
    for column in range(columns):
        _fill(
            draw,
            font,
            rng,
            (margin + column * across, margin, margin + (column + 1) * across - size, page.height - margin),
            ink,
        )
    rgb = np.dstack([np.asarray(page)] * 3)
    return _scanned(rgb, rng) if seed % 3 else rgb


def _fill(draw, font, rng, box, ink):
    left, top, right, bottom = box
    y, x, leading = top, left, font.size * rng.uniform(1.1, 1.6)
    while y + font.size < bottom:
        word = "".join(rng.choice(list(LETTERS), int(rng.integers(1, 11))))
        long = draw.textlength(word + " ", font=font)
        if x + long > right or rng.random() < 0.02:  # a paragraph may end anywhere
            x, y = left, y + leading
            continue
        draw.text((x, y), word, ink, font)
        x += long


def _scanned(rgb, rng):
    height, width = rgb.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-1.5, 1.5), 1)
    turned = cv2.warpAffine(
        rgb, turn, (width, height), flags=cv2.INTER_LINEAR, borderValue=[int(rgb.max())] * 3
    )
    grainy = np.clip(turned + rng.normal(0, rng.uniform(0, 5), rgb.shape[:2])[..., None], 0, 255).astype(
        np.uint8
    )
    return jpeg(grainy, int(rng.integers(60, 95)))


def pixel_art(seed, cell=None, saved_as_jpeg=None):
    """A scene of tiles and mirrored sprites in at most 20 colors, each of its pixels `cell` px wide.

    cell: 1 to 8, at times no whole number.
    """
    rng = np.random.default_rng([seed, 2])
    cell = cell or float(rng.choice([1, 2, 2.5, 3, 4, 5, 6, 8]))
    palette = rng.integers(0, 256, (int(rng.integers(5, 21)), 3), dtype=np.uint8)
    side = int(np.clip(600 / cell, 64, 400))
    art = _tiles(rng, side, len(palette))
    for _ in range(side * side // 700):
        _stamp(art, _sprite(rng, len(palette)), rng)
    large = max(256, round(side * cell))
    where = np.arange(large) * side // large
    rgb = palette[art[where][:, where]]
    if saved_as_jpeg is None:
        saved_as_jpeg = seed % 4 == 3
    return jpeg(rgb, 90) if saved_as_jpeg else rgb


def _tiles(rng, side, colors):
    """A ground of few 16 px tiles over and over, some of them plain."""
    tiles = [
        rng.integers(0, colors, (16, 16)) if rng.random() < 0.3 else np.full((16, 16), rng.integers(colors))
        for _ in range(4)
    ]
    rows = [np.hstack([tiles[n] for n in rng.integers(0, 4, side // 16 + 1)]) for _ in range(side // 16 + 1)]
    return np.vstack(rows)[:side, :side]


def _sprite(rng, colors):
    """A mirrored blob with an outline; −1 where it is clear."""
    half = rng.random((14, 7)) < np.linspace(0.3, 0.9, 7)
    body = np.hstack([half, half[:, ::-1]]).astype(np.uint8)
    fill = rng.integers(0, colors, (5, 5)).repeat(3, 0).repeat(3, 1)[:14, :14]
    outline = cv2.dilate(body, np.ones((3, 3), np.uint8)) > body
    return np.where(body > 0, fill, np.where(outline, 0, -1))


def _stamp(art, sprite, rng):
    y, x = (int(n) for n in rng.integers(0, len(art) - 14, 2))
    patch = art[y : y + 14, x : x + 14]
    patch[sprite >= 0] = sprite[sprite >= 0]


def jpeg(rgb, quality):
    return cv2.imdecode(
        cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR
    )[..., ::-1]
