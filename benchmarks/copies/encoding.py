"""The same picture in another file: formats, qualities, sizes, palettes."""

from functools import partial

import numpy as np
from PIL import Image, ImageFilter

from copies.transform import Transform, saved, scaled

Rng = np.random.Generator
PLAIN, DITHER = Image.Dither.NONE, Image.Dither.FLOYDSTEINBERG
BICUBIC, NEAREST = Image.Resampling.BICUBIC, Image.Resampling.NEAREST


def as_is(image: Image.Image, _: Rng) -> Image.Image:
    return image


def chain(times: int, image: Image.Image, rng: Rng) -> Image.Image:
    """A JPEG saved again and again, each time at another quality and with other subsampling."""
    for _ in range(times):
        quality, subsampling = int(rng.integers(62, 92)), int(rng.choice([0, 2]))
        image = saved(image, "jpeg", quality=quality, subsampling=subsampling)
    return image


def of_jpeg(quality: int, image: Image.Image, _: Rng) -> Image.Image:
    return saved(image, "jpeg", quality=quality)


def resized(scale: float, image: Image.Image, _: Rng) -> Image.Image:
    return scaled(image, scale)


def enlarged(how: int, image: Image.Image, _: Rng) -> Image.Image:
    return scaled(image, 2, how)


def sharpened(image: Image.Image, _: Rng) -> Image.Image:
    return scaled(image, 2, BICUBIC).filter(ImageFilter.UnsharpMask(2, 120, 2))


def gif(image: Image.Image, _: Rng) -> Image.Image:
    return image.quantize(128)


def palette(colors: int, dither: int, image: Image.Image, _: Rng) -> Image.Image:
    return image.quantize(colors, palette=image.quantize(colors, kmeans=2), dither=dither)


copy = partial(Transform, right=("reencoded",), drop=True)
encoding, size = partial(copy, kind="encoding"), partial(copy, kind="size")
few_colors = partial(copy, kind="palette", suffix="png", options={})
# So few that small things of another color get that of something large.
coarse = partial(few_colors, kind="coarse", right=("reencoded", "recolor"), drop=None)

TRANSFORMS = [
    encoding(name="lossless", make=as_is, suffix="webp", options={"lossless": True}, keeper="either"),
    encoding(name="jpeg_q30", make=as_is, options={"quality": 30}),
    encoding(name="jpeg_q60", make=as_is, options={"quality": 60}),
    encoding(name="jpeg_q90", make=as_is, options={"quality": 90}),
    encoding(name="jpeg_chain_3", make=partial(chain, 2), options={"quality": 80}),
    encoding(name="jpeg_chain_10", make=partial(chain, 9), options={"quality": 88}),
    encoding(name="png_of_jpeg_40", make=partial(of_jpeg, 40), suffix="png", options={}),
    encoding(name="png_of_jpeg_80", make=partial(of_jpeg, 80), suffix="png", options={}),
    encoding(name="webp", make=as_is, suffix="webp", options={"quality": 80}),
    encoding(name="gif", make=gif, suffix="gif", options={}),
    size(name="resize_0.25", make=partial(resized, 0.25), suffix="png", options={}),
    size(name="resize_0.5", make=partial(resized, 0.5)),
    size(name="resize_1.5", make=partial(resized, 1.5)),
    size(name="enlarged_2", make=partial(enlarged, BICUBIC), suffix="png", options={}),
    size(name="enlarged_2_nearest", make=partial(enlarged, NEAREST), suffix="png", options={}),
    size(name="enlarged_2_sharp", make=sharpened, suffix="png", options={}),
    few_colors(name="palette_256", make=partial(palette, 256, PLAIN)),
    coarse(name="palette_32", make=partial(palette, 32, PLAIN)),
    few_colors(name="palette_64_dither", make=partial(palette, 64, DITHER)),
    coarse(name="palette_16_dither", make=partial(palette, 16, DITHER)),
]
