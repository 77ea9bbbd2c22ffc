"""Several changes one after the other, as a picture meets them on its way around."""

from functools import partial

import numpy as np
from PIL import Image

from copies.encoding import chain
from copies.frames import caption
from copies.overlays import logo
from copies.transform import Transform, scaled
from copies.turns import crop, mirrored

Rng = np.random.Generator


def cropped_smaller(image: Image.Image, rng: Rng) -> Image.Image:
    return scaled(crop(0.03, image, rng), 0.6)


def shared(image: Image.Image, rng: Rng) -> Image.Image:
    """Smaller, with a logo, saved again and again."""
    return chain(4, logo(scaled(image, 0.75), rng), rng)


def meme(image: Image.Image, rng: Rng) -> Image.Image:
    """A caption, then smaller."""
    return scaled(caption(image, rng), 0.6)


def mirrored_part(image: Image.Image, rng: Rng) -> Image.Image | None:
    """Mirrored and cropped, which some do so that nobody finds it."""
    other = mirrored(image, rng)
    return crop(0.06, other, rng) if other else None


several = partial(Transform, kind="several", drop=True)

TRANSFORMS = [
    several(name="combo", make=cropped_smaller, right=("crop",), options={"quality": 55}),
    several(
        name="combo_shared", make=shared, right=("reencoded", "variant"), drop=None, options={"quality": 75}
    ),
    several(name="combo_meme", make=meme, right=("crop", "reencoded"), options={"quality": 45}),
    several(name="combo_mirror", make=mirrored_part, right=("flip",), options={"quality": 80}),
]
