"""Things laid on a picture: balloons, boxes of dialogue, bars, mosaics, watermarks."""

from functools import partial

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from copies.faces import spot
from copies.lettering import SIGNATURES, centered, font, layer, sentence, under, wrapped
from copies.transform import Transform

Rng = np.random.Generator
INK = (20, 20, 24)
PLAINLY = 40  # grey levels
SHARE = 0.05  # of what a mosaic covers that it changes plainly, at least


def balloons(count: int, image: Image.Image, rng: Rng) -> Image.Image:
    """Speech in balloons near the upper corners, with a tail toward the middle."""
    image = image.copy()
    sides = rng.permutation(2)[:count]
    for row, side in enumerate(sides):
        _balloon(image, rng, is_right=bool(side), low=0.34 * row)
    return image


def _balloon(image: Image.Image, rng: Rng, *, is_right: bool, low: float) -> None:
    width, height = image.size
    wide, high = rng.uniform(0.36, 0.5) * width, rng.uniform(0.2, 0.3) * height
    left = width - wide - 0.03 * width if is_right else 0.03 * width
    top = (0.03 + low) * height
    box = (left, top, left + wide, top + high)
    draw, line = ImageDraw.Draw(image), max(1, round(min(image.size) / 160))
    root, toward = left + wide * (0.35 if is_right else 0.65), width * (0.45 if is_right else 0.55)
    tail = [
        (root - wide * 0.08, top + high * 0.9),
        (toward, top + high * 1.35),
        (root + wide * 0.08, top + high * 0.9),
    ]
    draw.polygon(tail, fill=(255, 255, 255), outline=INK, width=line)
    draw.ellipse(box, fill=(255, 255, 255), outline=INK, width=line)
    draw.polygon(
        [(x, y - line * 2) for x, y in tail[::2]] + [(toward, top + high * 1.3)], fill=(255, 255, 255)
    )
    letters = font(min(high / 6.5, wide / 9))
    text = "\n".join(wrapped(sentence(rng, 5, 9), letters, wide * 0.72).split("\n")[:4])
    centered(draw, box, text, fill=INK, font=letters)


def dialogue(image: Image.Image, rng: Rng) -> Image.Image:
    """The box of a visual novel over the lower part, with a name."""
    film, draw = layer(image)
    width, height = image.size
    box = (0.04 * width, 0.74 * height, 0.96 * width, 0.97 * height)
    draw.rounded_rectangle(box, 0.03 * width, fill=(16, 24, 60, 205), outline=(240, 240, 255, 255), width=2)
    letters = font(min(height * 0.05, width * 0.04))
    draw.text(
        (box[0] * 1.8, box[1] + height * 0.015),
        sentence(rng, 1, 1)[0].title(),
        fill=(255, 214, 120),
        font=letters,
    )
    text = wrapped(sentence(rng, 6, 11), letters, width * 0.84)
    draw.multiline_text((box[0] * 1.8, box[1] + height * 0.08), text, fill="white", font=letters, spacing=2)
    return under(film, image)


def censor_bar(image: Image.Image, _: Rng) -> Image.Image | None:
    """A black bar over what may be eyes; None: it is as good as black there."""
    left, top, side = spot(image)
    box = (left - 0.1 * side, top + 0.2 * side, left + 1.1 * side, top + 0.5 * side)
    if np.asarray(image.crop(tuple(map(round, box))).convert("L")).mean() < PLAINLY:
        return None
    image = image.copy()
    ImageDraw.Draw(image).rectangle(box, fill=(0, 0, 0))
    return image


def mosaic(image: Image.Image, _: Rng) -> Image.Image | None:
    """Coarse squares over what may be a face; None: hardly anything is drawn there."""
    left, top, side = spot(image)
    box = (left, top, left + side, top + side)
    patch = image.crop(box)
    coarse = patch.resize((6, 6), Image.Resampling.BOX).resize(patch.size, Image.Resampling.NEAREST)
    changed = np.abs(np.asarray(patch, int) - np.asarray(coarse, int)).max(2) > PLAINLY
    if changed.mean() < SHARE:
        return None
    image = image.copy()
    image.paste(coarse, box)
    return image


def watermark(image: Image.Image, _: Rng) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image, "RGBA").text(
        (image.width * 0.05, image.height * 0.45),
        "(c) SAMPLE WATERMARK",
        font=ImageFont.load_default(max(12, image.width // 14)),
        fill=(255, 255, 255, 150),
        stroke_width=1,
        stroke_fill=(0, 0, 0, 130),
    )
    return image


def tiled(image: Image.Image, rng: Rng) -> Image.Image:
    """A line of text again and again, aslant."""
    side = 2 * max(image.size)
    sheet = Image.new("RGBA", (side, side), (255, 255, 255, 0))
    draw, text = ImageDraw.Draw(sheet), str(rng.choice(SIGNATURES))
    letters = font(min(image.size) / 16)
    step = letters.getlength(text) * 1.5
    for row, y in enumerate(np.arange(0, side, min(image.size) / 5)):
        for x in np.arange(-step * (row % 2) / 2, side, step):
            draw.text((x, y), text, font=letters, fill=(128, 128, 128, 120))
    film = sheet.rotate(28).crop((side // 4, side // 4, side // 4 + image.width, side // 4 + image.height))
    return under(film, image)


def logo(image: Image.Image, rng: Rng) -> Image.Image:
    """A disk with a letter, and a name, in one of the lower corners."""
    film, draw = layer(image)
    text, radius = str(rng.choice(SIGNATURES)), min(image.size) * 0.06
    letters = font(radius * 0.9)
    long = letters.getlength(text) + 3 * radius
    left = image.width - long - radius * 0.5 if rng.integers(2) else radius * 0.5
    y = image.height - 1.7 * radius
    draw.ellipse(
        (left, y - radius, left + 2 * radius, y + radius),
        fill=(220, 40, 70, 210),
        outline=(255,) * 4,
        width=2,
    )
    draw.text(
        (left + radius, y),
        text.lstrip("(@")[0].upper(),
        anchor="mm",
        font=font(radius * 1.3),
        fill=(255,) * 4,
    )
    draw.text(
        (left + 2.4 * radius, y),
        text,
        anchor="lm",
        font=letters,
        fill=(255,) * 4,
        stroke_width=1,
        stroke_fill=(0, 0, 0, 200),
    )
    return under(film, image)


def translucent(image: Image.Image, _: Rng) -> Image.Image:
    """One large word across the middle, as preview pictures carry it."""
    film, draw = layer(image)
    letters = font(100)
    letters = font(100 * 0.9 * image.width / letters.getlength("PREVIEW"))
    draw.text(
        (image.width / 2, image.height / 2), "PREVIEW", anchor="mm", font=letters, fill=(150, 150, 150, 85)
    )
    return under(film, image)


drawn_on = partial(Transform, kind="overlay", right=("variant",), drop=None)
marked = partial(Transform, kind="watermark", right=("reencoded", "variant"), drop=None)

TRANSFORMS = [
    drawn_on(name="balloon", make=partial(balloons, 1)),
    drawn_on(name="balloons_2", make=partial(balloons, 2), suffix="png", options={}),
    drawn_on(name="dialogue_box", make=dialogue, suffix="png", options={}),
    drawn_on(name="censor_bar", make=censor_bar),
    drawn_on(name="mosaic", make=mosaic, suffix="png", options={}),
    marked(name="watermark", make=watermark, options={"quality": 90}),
    marked(name="watermark_tiled", make=tiled, suffix="png", options={}),
    marked(name="watermark_logo", make=logo),
    marked(name="watermark_big", make=translucent, options={"quality": 95}),
]
