"""A picture to train on, composed of what lies under the ink, the ink's opacity, a ground, and an ink.

    picture = spoiled(under · (1 − opacity) + ink · opacity)

Colors, shadows, the tone of the ink and what spoils the picture are drawn anew each time, so what is learned
is what a line is, not which tone it has. The truth is the opacity, but where ink and what lies under it
differ by less than UNSEEN grey levels there is no line; below FAINT it counts little.
"""

from dataclasses import dataclass

import cv2
import numpy as np

UNSEEN, FAINT, LITTLE = 5, 14, 0.15  # grey levels; weight of what is hardly seen
DEEP, THIN = 9.0, 1.6  # px from the border of ink: what is deeper has no weight, what is thinner BOOST
BOOST = 2.5
RIM, BESIDE, DOUBT = 1.6, 2.5, 10.0  # px inside and outside a silhouette: the contour, nothing, nobody knows
LEAST = 0.3  # weight of what lies just outside of a silhouette
DARK = 90  # grey level: what of a figure is darker may be a wide line
FLAT = 8  # grey levels in 5 × 5 px: what differs less has no line
Array = np.ndarray


@dataclass(frozen=True)
class Example:
    """A picture uint8 (s, s, 3), the opacity of its ink and the weight of each pixel, float32 (s, s)."""

    rgb: Array
    ink: Array
    weight: Array


def pair(rng: np.random.Generator, stored: Array, ground: Array | None) -> Example:
    """Of a true pair, uint8 (s, s, 5), on another ground if one is given."""
    opacity = stored[..., 3].astype(np.float32) / 255
    under, solid = under_ink(stored)
    weight = np.ones(opacity.shape, np.float32)
    under = recolored(rng, under)
    if ground is not None:
        under = np.where(solid[..., None] > 250, under, ground.astype(np.float32))
    weight[bare(solid > 250, opacity)] = 0  # the artist drew no line there, but one would do
    return _inked(rng, under, opacity, weight)


def scene(rng: np.random.Generator, stored: Array) -> Example:
    """Of a drawn scene, uint8 (s, s, 5)."""
    opacity = stored[..., 3].astype(np.float32) / 255
    return _inked(rng, recolored(rng, stored[..., :3]), opacity, stored[..., 4].astype(np.float32) / 255)


def sprite(rng: np.random.Generator, stored: Array, ground: Array) -> Example:
    """Of a sprite, uint8 (s, s, 5), on a ground: its silhouette is a contour to be drawn."""
    cover = stored[..., 4:].astype(np.float32) / 255
    rgb = np.round(recolored(rng, stored[..., :3]) * cover + ground * (1 - cover)).astype(np.uint8)
    ink, weight = contour(stored[..., 4] > 128, rgb)
    return Example(spoiled(rng, rgb), ink, weight)


def lineless(rng: np.random.Generator, ground: Array) -> Example:
    """Of a photo or painting: nothing is to be drawn."""
    empty = np.zeros(ground.shape[:2], np.float32)
    return Example(spoiled(rng, recolored(rng, ground)), empty, empty + 1)


def under_ink(stored: Array) -> tuple[Array, Array]:
    """Color and opacity of the figure, each inked pixel with those of the nearest one without ink."""
    inked = (stored[..., 3] > 5).astype(np.uint8)
    if not inked.any() or inked.all():
        return stored[..., :3], stored[..., 4]
    labels = cv2.distanceTransformWithLabels(inked, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    free = np.flatnonzero(inked == 0)
    nearest = np.zeros(int(labels.max()) + 1, np.int64)
    nearest[labels.reshape(-1)[free]] = free
    index = nearest[labels]
    return stored[..., :3].reshape(-1, 3)[index], stored[..., 4].reshape(-1)[index]


def bare(solid: Array, opacity: Array) -> Array:
    """Where a figure ends without ink, bool."""
    border = cv2.morphologyEx(solid.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    inked = cv2.dilate((opacity > 0.3).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return cv2.dilate((border & ~inked).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def contour(solid: Array, rgb: Array) -> tuple[Array, Array]:
    """The line along the inner rim of a silhouette, and weights: what lies deeper may be a line or not."""
    inside = cv2.distanceTransform(solid.astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform((~solid).astype(np.uint8), cv2.DIST_L2, 5)
    step = spread(rgb, 5)
    rim = solid & (inside <= RIM)
    weight = np.ones(solid.shape, np.float32)
    weight[~solid & (outside <= BESIDE)] = LEAST
    weight[solid & (inside > RIM)] = 0
    weight[solid & (inside > DOUBT) & (step < FLAT) & (widest(rgb) > DARK)] = 0.5
    weight[rim] = np.where(step[rim] < FAINT, 0, BOOST)
    return rim.astype(np.float32), weight


def spread(rgb: Array, side: int) -> Array:
    """Range of the levels within a window, the widest channel's."""
    window = np.ones((side, side), np.uint8)
    return widest(cv2.dilate(rgb, window) - cv2.erode(rgb, window))


def widest(levels: Array) -> Array:
    """The largest of the three channels."""
    return np.maximum(np.maximum(levels[..., 0], levels[..., 1]), levels[..., 2])


def weighted(opacity: Array, weight: Array, contrast: Array) -> tuple[Array, Array]:
    """The truth and its weight, by how wide lines are and how much they differ from what is under them."""
    inked = opacity > 0.5
    depth = cv2.distanceTransform(inked.astype(np.uint8), cv2.DIST_L2, 3)
    wide = cv2.dilate(np.where(depth > THIN, depth, 0), np.ones((5, 5), np.uint8)) > 0
    weight = np.where((opacity > 0.25) & ~wide, weight * np.float32(BOOST), weight)
    weight[depth > DEEP] = 0
    weight = np.where(
        (contrast < FAINT) & (contrast >= UNSEEN) & (opacity > 0.05), weight * np.float32(LITTLE), weight
    )
    return np.where(contrast < UNSEEN, 0, opacity).astype(np.float32), weight.astype(np.float32)


def _inked(rng: np.random.Generator, under: Array, opacity: Array, weight: Array) -> Example:
    ink = ink_color(rng, under)
    shown = worn(rng, opacity)
    strength = np.float32(1 if rng.random() < 0.75 else rng.uniform(0.45, 1))
    contrast = widest(np.abs(under - ink)) * strength
    share = (shown * strength)[..., None]
    rgb = np.round(under + share * (ink - under)).astype(np.uint8)
    truth, weight = weighted(opacity, weight, contrast)
    return Example(spoiled(rng, rgb), truth, weight)


def ink_color(rng: np.random.Generator, under: Array) -> Array:
    """The ink's color, float32 (s, s, 3): dark, hued, or a darker tone of what lies under it."""
    kind = rng.random()
    if kind < 0.35:
        return np.zeros_like(under, np.float32) + np.clip(
            rng.uniform(0, 50) + rng.normal(0, 8, 3), 0, 255
        ).astype(np.float32)
    if kind < 0.6:
        return np.zeros_like(under, np.float32) + rng.uniform(0, 150, 3).astype(np.float32) * np.float32(
            rng.uniform(0.4, 1)
        )
    tone = rng.uniform(0.3, 0.85) * np.clip(rng.normal(1, 0.08, 3), 0.7, 1.15)
    return under * np.minimum(tone, 0.93).astype(np.float32)


def worn(rng: np.random.Generator, opacity: Array) -> Array:
    """Ink as it is seen: crisp, soft, or rough as a pencil's."""
    if rng.random() < 0.3:
        opacity = cv2.GaussianBlur(opacity, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.15:
        grain = cv2.GaussianBlur(rng.random(opacity.shape, np.float32), (0, 0), 0.7)
        opacity = opacity * np.clip(0.2 + 1.6 * grain, 0, 1)
    return opacity


def recolored(rng: np.random.Generator, rgb: Array) -> Array:
    """Other colors, and now and then a shadow or light across, soft or hard; float32 (s, s, 3)."""
    if rng.random() < 0.5:
        rgb = rgb[..., rng.permutation(3)]
    if rng.random() < 0.15:
        rgb = np.repeat(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    levels = np.linspace(0, 1, 256)
    if rng.random() < 0.6:
        levels = levels ** rng.uniform(0.5, 1.9)
    if rng.random() < 0.5:
        low = rng.uniform(0, 90)
        levels = (low + levels * (rng.uniform(150, 255) - low)) / 255
    out = (255 * levels).astype(np.float32)[rgb]
    if rng.random() < 0.35:
        out = np.minimum(out * _light(rng, rgb.shape[0]), 255)
    return out


def _light(rng: np.random.Generator, side: int) -> Array:
    """Factors (s, s, 1 or 3) of a shadow or a light with a border soft or hard."""
    cells = rng.normal(0, 1, (4, 4)).astype(np.float32)
    field = cv2.resize(cells, (side, side), interpolation=cv2.INTER_CUBIC)
    sharp = float(rng.choice([0.5, 2, 40]))
    share = 1 / (1 + np.exp(np.float32(-sharp) * np.clip(field, -2, 2)))
    factor = rng.uniform(0.55, 1.25) * np.clip(rng.normal(1, 0.05, 3), 0.8, 1.2)
    return 1 + share[..., None] * (factor - 1).astype(np.float32)


def spoiled(rng: np.random.Generator, rgb: Array) -> Array:
    """What befalls pictures: softened, enlarged, noisy, packed, reduced to few colors; uint8."""
    out = np.clip(np.round(rgb), 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, 1.6))
    if rng.random() < 0.12:
        small = cv2.resize(
            out, None, fx=rng.uniform(0.5, 0.9), fy=rng.uniform(0.5, 0.9), interpolation=cv2.INTER_AREA
        )
        out = cv2.resize(small, out.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.25:
        out = np.clip(
            out + np.float32(rng.uniform(0.5, 6)) * rng.standard_normal(out.shape, np.float32), 0, 255
        ).astype(np.uint8)
    if rng.random() < 0.4:
        out = packed(rng, out)
    if rng.random() < 0.03:
        step = int(rng.integers(8, 32))
        out = out // step * step
    return out


def packed(rng: np.random.Generator, rgb: Array) -> Array:
    """After a JPEG or a WebP."""
    form, flag = (
        (".jpg", cv2.IMWRITE_JPEG_QUALITY) if rng.random() < 0.8 else (".webp", cv2.IMWRITE_WEBP_QUALITY)
    )
    data = cv2.imencode(form, rgb, [flag, int(rng.integers(30, 96))])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)
