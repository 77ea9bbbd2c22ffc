"""Pictures with text written on them, in any font, size, color and place."""

import io
import re
from functools import lru_cache
from pathlib import Path
from pydoc_data.topics import topics
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Rng = np.random.Generator
WORDS = sorted(set(re.findall(r"[a-z]{2,}", " ".join(topics.values()))))
KANA = "".join(map(chr, [*range(0x3042, 0x3094), *range(0x30A2, 0x30F4)])) + "ーっょの"
KANJI = bytes(byte for row in range(0xB0, 0xD0) for cell in range(0xA1, 0xFF) for byte in (row, cell)).decode(
    "euc_jp", "ignore"
)
RUSSIAN = "оооеееааииннттссррввллккммддппууяяыьгзбчйхжшюцщэф"
SIGNS = ["!", "?", ".", ",", ":", "...", "'s", "-", ""]


class Written(NamedTuple):
    """A picture, and where on it is text."""

    image: Image.Image
    where: NDArray[np.bool_]


@lru_cache(512)
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size)


@lru_cache
def has(path: Path, some: str) -> bool:
    """Whether a font has letters: those it lacks all look alike."""
    return len({bytes(_font(path, 20).getmask(letter)) for letter in some}) == len(some)


def words(rng: Rng, count: int, path: Path) -> str:
    """Some words that a font has letters for."""
    if has(path, "あい漢字") and rng.random() < 0.8:
        letters = KANA if rng.random() < 0.5 else KANA * 6 + KANJI
        return "".join(rng.choice(list(letters), count * 4))
    some = _words(rng, count, path)
    text = " ".join(word + str(rng.choice(SIGNS)) if rng.random() < 0.15 else word for word in some)
    how = (str.upper, str.title, str.capitalize, str)
    return str(how[int(np.searchsorted((0.3, 0.5, 0.7), rng.random(), "right"))](text))


def _words(rng: Rng, count: int, path: Path) -> list[str]:
    if has(path, "ЖЯди") and rng.random() < 0.1:
        return ["".join(rng.choice(list(RUSSIAN), int(rng.integers(2, 10)))) for _ in range(count)]
    if rng.random() < 0.15:
        return [str(rng.integers(0, 10 ** int(rng.integers(1, 6)))) for _ in range(count)]
    return [str(word) for word in rng.choice(WORDS, count)]


def write(ground: Image.Image, fonts: list[Path], rng: Rng) -> Written:
    """Text in a few places of a picture, none without fonts, and then what files go through."""
    image, where = ground.copy(), np.zeros((ground.height, ground.width), bool)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for _ in range(int(rng.integers(1, 5)) if fonts else 0):
        before = np.asarray(image)
        image, more = _block(image, fonts[int(rng.integers(len(fonts)))], rng)
        where = (where & (before == np.asarray(image)).all(axis=2)) | more
    return Written(saved(image, rng), where)


class _Type(NamedTuple):
    """Text as masks, (h, w) of "L": the letters, and with their outline."""

    inner: Image.Image
    outer: Image.Image
    size: int  # of the font
    is_outlined: bool


def _block(image: Image.Image, path: Path, rng: Rng) -> tuple[Image.Image, NDArray[np.bool_]]:
    """A picture with some lines of text somewhere, and where they are."""
    typed = _typed(path, rng)
    corner = tuple(
        int(rng.integers(-side // 6, max(1, whole - side // 2)))
        for side, whole in zip(typed.inner.size, image.size, strict=True)
    )
    fill, around = _colors(rng)
    image = image.copy()
    if typed.is_outlined:
        image.paste(Image.new("RGB", typed.outer.size, around), corner, typed.outer)
    elif rng.random() < 0.8:
        _sheet(image, typed, corner, around, rng)
    elif (np.asarray(image.convert("L")).mean() < 128) == (sum(fill) < 384):
        fill = around
    image.paste(Image.new("RGB", typed.inner.size, fill), corner, typed.inner)
    where = Image.new("L", image.size)
    where.paste(typed.outer, corner)
    side = min(15, typed.size)
    return image, cv2.dilate(np.asarray(where), np.ones((side, side), np.uint8)) > 100


def _typed(path: Path, rng: Rng) -> _Type:
    size = int(8 * 2 ** (rng.random() ** 1.3 * 3.2))
    stroke = int(rng.integers(1, max(2, size // 9) + 1)) if rng.random() < 0.35 else 0
    text = "\n".join(words(rng, int(rng.integers(1, 6)), path) for _ in range(int(rng.integers(1, 5))))
    how = {"font": _font(path, size), "spacing": size // 5}
    draw = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = draw.multiline_textbbox((0, 0), text, stroke_width=stroke, **how)
    how["align"], at = str(rng.choice(["left", "center", "left"])), (4 - left, 4 - top)
    films = [Image.new("L", (int(right - left) + 8, int(bottom - top) + 8)) for _ in range(2)]
    for film, width in zip(films, (0, stroke), strict=True):
        ImageDraw.Draw(film).multiline_text(at, text, fill=255, stroke_width=width, **how)
    if rng.random() < 0.35:
        degrees = float(rng.normal(0, 2.5))
        films = [film.rotate(degrees, Image.Resampling.BICUBIC, expand=True) for film in films]
    return _Type(*films, size, is_outlined=stroke > 0)


def _colors(rng: Rng) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of letters, and around them: the one dark, the other light."""
    dark, light = rng.integers(0, 110, 3).tolist(), rng.integers(150, 256, 3).tolist()
    if rng.random() < 0.4:
        dark, light = [0] * 3, [255] * 3
    return (tuple(dark), tuple(light)) if rng.random() < 0.5 else (tuple(light), tuple(dark))


def _sheet(
    image: Image.Image, typed: _Type, corner: tuple[int, ...], color: tuple[int, ...], rng: Rng
) -> None:
    """Something plain below text."""
    rim, (left, top), (wide, high) = typed.size // 2, corner, typed.inner.size
    draw, box = ImageDraw.Draw(image), (left - rim, top - rim, left + wide + rim, top + high + rim)
    if rng.random() < 0.15:
        draw.ellipse(box, fill=color)
    else:
        draw.rectangle(box, fill=color)


def saved(image: Image.Image, rng: Rng) -> Image.Image:
    """What files go through: scaling within, blur, JPEG."""
    size = image.size
    if rng.random() < 0.3:
        by = float(rng.uniform(0.55, 0.95))
        image = image.resize((round(size[0] * by), round(size[1] * by)), Image.Resampling.LANCZOS)
        image = image.resize(size, Image.Resampling.BICUBIC)
    if rng.random() < 0.7:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=int(rng.integers(40, 96)))
        image = Image.open(file).convert("RGB")
    return image
