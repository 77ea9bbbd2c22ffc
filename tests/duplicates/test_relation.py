"""A pair of thumbnails: a copy, a part, a mirror image, other colors, another expression, or unrelated."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anidata
from anidata.duplicates.alignment import SIDE, View, thumbnail
from anidata.duplicates.relation import relation
from anidata.imaging.decode import decode
from shared import SHARED

ART = Path(anidata.__file__).parent / "art"
DUPS = SHARED / "data" / "dups"
PAPER, INK, SKIN, HAIR, COAT = (250, 248, 240), (30, 20, 30), (250, 220, 200), (190, 110, 40), (60, 90, 180)


def portrait(mouth="smile", seed=0, coat=COAT):
    """A figure of 720 × 540 px before a patterned wall, its mouth 26 px wide."""
    rng = np.random.default_rng(seed)
    page = np.full((720, 540, 3), PAPER, np.uint8)
    for x, y, radius in rng.integers((0, 0, 8), (540, 720, 40), (14, 3)).tolist():
        cv2.circle(page, (x, y), radius, rng.integers(120, 230, 3).tolist(), -1, cv2.LINE_AA)
        cv2.circle(page, (x, y), radius, (110, 100, 110), 2, cv2.LINE_AA)
    x = int(rng.integers(200, 340))
    for shape, color in (((x, 560, 150, 200), coat), ((x, 250, 110, 130), HAIR), ((x, 270, 80, 95), SKIN)):
        cv2.ellipse(page, shape[:2], shape[2:], 0, 0, 360, color, -1, cv2.LINE_AA)
        cv2.ellipse(page, shape[:2], shape[2:], 0, 0, 360, (80, 50, 60), 2, cv2.LINE_AA)
    for side in (-34, 34):
        cv2.ellipse(page, (x + side, 260), (12, 18), 0, 0, 360, (50, 60, 140), -1, cv2.LINE_AA)
    if mouth == "smile":
        cv2.ellipse(page, (x, 312), (13, 8), 0, 0, 180, INK, 3, cv2.LINE_AA)
    elif mouth == "open":
        cv2.ellipse(page, (x, 318), (12, 15), 0, 0, 360, (150, 40, 50), -1, cv2.LINE_AA)
    return page


def street(seed):
    """Houses and windows, no two streets alike."""
    rng = np.random.default_rng(seed)
    page = np.full((540, 720, 3), rng.integers(150, 250, 3), np.uint8)
    for x, y, wide, high in rng.integers((0, 60, 40, 40), (680, 500, 200, 300), (12, 4)).tolist():
        cv2.rectangle(page, (x, y), (x + wide, y + high), rng.integers(30, 240, 3).tolist(), -1)
        cv2.rectangle(page, (x, y), (x + wide, y + high), INK, 2)
    return page


def related(a, b, flipped=False):
    """The relation, which doesn't depend on who comes first."""
    one, other = (View(thumbnail(np.ascontiguousarray(p))) for p in (a, b))
    name = relation(one, other, flipped)
    assert relation(other, one, flipped) == name
    return name


def recoded(rgb, form, *options):
    data = cv2.imencode(form, rgb[..., ::-1], options)[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def scaled(rgb, factor):
    return cv2.resize(
        rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )


def lit(rgb, gain, offset=0.0):
    return np.clip(rgb * gain + offset, 0, 255).astype(np.uint8)


def turned(rgb, degrees):
    height, width = rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(rgb, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=(255, 255, 255))


def bordered(rgb, high, wide, color):
    return cv2.copyMakeBorder(rgb, high, high, wide, wide, cv2.BORDER_CONSTANT, value=color)


def in_other_colors(rgb, by=30):
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + by) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def art(name):
    return decode((ART / name).read_bytes(), 10**8).rgb


@pytest.mark.parametrize(
    ("height", "width", "wanted"),
    [(720, 540, (192, 144)), (100, 37, (100, 37)), (5000, 3, (192, 1)), (1, 1, (1, 1))],
)
def test_a_thumbnail_has_a_long_side_of_at_most_192_px(height, width, wanted):
    small = thumbnail(np.full((height, width, 3), 77, np.uint8))
    assert small.shape == (*wanted, 3)
    assert small.dtype == np.uint8
    assert max(wanted) <= SIDE
    assert (small == 77).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "change",
    [
        lambda p: p,
        lambda p: recoded(p, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 30),
        lambda p: recoded(p, ".webp", cv2.IMWRITE_WEBP_QUALITY, 60),
        lambda p: scaled(p, 0.25),
        lambda p: scaled(p, 0.77),
        lambda p: scaled(p, 1.5),
        lambda p: recoded(scaled(p, 0.4), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 60),
        lambda p: lit(p, 1.15),
        lambda p: lit(p, 0.8),
        lambda p: lit(p, 0.8, 40),
        lambda p: p // 16 * 16 + 8,
        lambda p: bordered(p, 27, 27, (255, 255, 255)),
        lambda p: recoded(bordered(p, 10, 10, (20, 60, 20)), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 80),
    ],
    ids=[
        "same",
        "jpeg 30",
        "webp",
        "quarter",
        "three quarters",
        "enlarged",
        "both",
        "brighter",
        "darker",
        "flatter",
        "few colors",
        "framed",
        "thin frame",
    ],
)
def test_another_size_quality_light_or_a_thin_border_is_a_reencoding(seed, change):
    assert related(portrait(seed=seed), change(portrait(seed=seed))) == "reencoded"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "change",
    [
        lambda p: p[20:-8, 5:-15],
        lambda p: p[60:, 40:],
        lambda p: scaled(p[30:-30, 10:-30], 0.6),
        lambda p: turned(p, 1),
        lambda p: turned(p, -3),
        lambda p: bordered(p, 120, 0, (0, 0, 0)),
        lambda p: bordered(p, 0, 160, (0, 0, 0)),
        lambda p: bordered(p, 90, 90, (255, 255, 255)),
    ],
    ids=[
        "3 %",
        "8 %",
        "scaled",
        "turned by 1",
        "turned by 3",
        "bars above and below",
        "bars aside",
        "broad border",
    ],
)
def test_a_part_a_letterbox_or_a_slight_turn_is_a_crop(seed, change):
    assert related(portrait(seed=seed), change(portrait(seed=seed))) == "crop"


def test_an_even_cut_on_all_sides_is_a_crop_and_no_border():
    assert related(portrait(), portrait()[25:-25, 25:-25]) == "crop"


def fruit(seed, skin):
    """A round thing of about 400 px on white, its rim and what is on it drawn anew."""
    page, rng = np.full((480, 480, 3), 255, np.uint8), np.random.default_rng(seed)
    turn = np.arange(0, 360, 5) * np.pi / 180
    reach = 190 + 14 * np.sin(rng.integers(3, 9) * turn + rng.random()) + rng.normal(0, 4, len(turn))
    rim = np.stack([240 + reach * np.cos(turn), 240 + reach * np.sin(turn)], axis=1).astype(np.int32)
    cv2.fillPoly(page, [rim], skin, cv2.LINE_AA)
    for x, y in rng.integers(120, 360, (25, 2)).tolist():
        cv2.ellipse(page, (x, y), (14, 9), x, 0, 360, rng.integers(0, 256, 3).tolist(), -1, cv2.LINE_AA)
    return page


def test_round_things_that_are_alike_from_afar_alone_are_unrelated():
    assert related(fruit(1, (200, 60, 60)), fruit(2, (60, 60, 200))) == "unrelated"
    assert related(fruit(1, (200, 60, 60)), fruit(1, (60, 60, 200))) == "recolor"


def test_paper_of_another_tint_is_a_recolor():
    cream = portrait().astype(np.int16)
    cream[(cream > 225).all(axis=2)] = (250, 246, 205)
    assert related(portrait(), cream.astype(np.uint8)) == "recolor"


@pytest.mark.parametrize(
    "change", [lambda p: p, lambda p: scaled(p, 0.5), lambda p: p[20:-20, 20:]], ids=["whole", "half", "part"]
)
def test_a_mirrored_copy_is_a_flip_where_the_mirrored_codes_met(change):
    assert related(portrait(), change(portrait()[:, ::-1]), flipped=True) == "flip"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mouths", [("smile", "none"), ("smile", "open"), ("open", "none")])
@pytest.mark.parametrize(
    "change",
    [
        lambda p: p,
        lambda p: recoded(p, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 60),
        lambda p: scaled(p, 0.5),
        lambda p: lit(p, 0.8),
        lambda p: p[20:-8, 5:-15],
    ],
    ids=["clean", "jpeg", "half", "darker", "cropped"],
)
def test_another_mouth_is_a_variant_however_the_file_was_treated(seed, mouths, change):
    one, other = (portrait(mouth, seed) for mouth in mouths)
    assert related(one, change(other)) == "variant"


def test_a_mirrored_variant_is_no_flip():
    assert related(portrait("smile"), portrait("open")[:, ::-1], flipped=True) == "variant"


def test_lettering_is_a_variant():
    lettered = cv2.putText(
        portrait(), "The End", (60, 640), cv2.FONT_HERSHEY_SIMPLEX, 2, (255, 255, 255), 4, cv2.LINE_AA
    )
    assert related(portrait(), lettered) == "variant"


def test_a_variant_in_the_dark_is_no_copy():
    one, other = (lit(portrait(mouth), 0.15) for mouth in ("smile", "open"))
    assert related(one, other) == "variant"
    assert related(one, scaled(one, 0.5)) == "reencoded"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "change",
    [
        in_other_colors,
        lambda p: cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
        lambda p: scaled(in_other_colors(p, 60), 0.5),
        lambda p: in_other_colors(p)[20:-8, 5:-15],
    ],
    ids=["hue", "gray", "small", "cropped"],
)
def test_the_same_drawing_in_other_colors_is_a_recolor(seed, change):
    assert related(portrait(seed=seed), change(portrait(seed=seed))) == "recolor"


def test_a_gray_picture_has_no_colors_to_lose():
    gray = cv2.cvtColor(cv2.cvtColor(portrait(), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert related(gray, scaled(gray, 0.5)) == "reencoded"


def stripes(*colors):
    return np.repeat(np.array(colors, np.uint8)[:, None], 100, axis=0).repeat(450, axis=1)


def frame(ink, paper, wide):
    return bordered(np.full((300 - 2 * wide, 450 - 2 * wide, 3), paper, np.uint8), wide, wide, ink)


PLAIN_THINGS = {
    "flag": stripes((0, 40, 150), (255, 255, 255), (220, 30, 40)),
    "another flag": stripes((0, 140, 70), (255, 255, 255), (240, 130, 30)),
    "upright flag": np.ascontiguousarray(
        stripes((0, 40, 150), (250, 220, 0), (220, 30, 40)).transpose(1, 0, 2)
    ),
    "black frame": frame((0, 0, 0), 255, 10),
    "wide frame": frame((0, 0, 0), 255, 30),
    "white frame": frame((255, 255, 255), 20, 20),
}


@pytest.mark.parametrize("one", PLAIN_THINGS)
def test_flags_and_frames_link_nothing_but_copies_of_their_own(one):
    page = PLAIN_THINGS[one]
    others = [*(PLAIN_THINGS[name] for name in PLAIN_THINGS if name != one), street(1), portrait()]
    assert {related(page, other) for other in others} == {"unrelated"}
    assert {related(page, copy) for copy in (page, scaled(page, 0.5), recoded(page, ".png"))} == {"reencoded"}


def test_a_letterboxed_drawing_is_not_plain():
    assert related(portrait(), bordered(portrait(), 300, 0, (0, 0, 0))) == "crop"


def poster(look="calm"):
    """A sun over hills, in a sky that is dark above: mostly stripes, 480 × 640 px."""
    sky = np.linspace((20, 30, 70), (230, 210, 190), 480).round().astype(np.uint8)
    page = np.repeat(sky[:, None], 640, axis=1)
    cv2.rectangle(page, (0, 340), (640, 480), (25, 30, 60), -1)
    for center, radii in (((150, 350), (160, 45)), ((500, 350), (120, 30))):
        cv2.ellipse(page, center, radii, 0, 0, 360, (25, 30, 60), -1, cv2.LINE_AA)
    cv2.circle(page, (330, 200), 62, (230, 190, 120), -1, cv2.LINE_AA)
    for star in ((60, 8), (580, 470)):
        cv2.circle(page, star, 8, (240, 240, 220), -1, cv2.LINE_AA)
    for x in (305, 355):
        cv2.circle(page, (x, 185), 6 if look == "calm" else 12, INK, -1, cv2.LINE_AA)
    cv2.ellipse(page, (330, 225), (26, 4 if look == "calm" else 18), 0, 0, 360, INK, -1, cv2.LINE_AA)
    return page


def balloon(page):
    """A balloon over the upper half of a page."""
    height, width = page.shape[:2]
    page = page.copy()
    center, radii = (width // 2, height // 3), (int(width * 0.4), height // 4)
    cv2.ellipse(page, center, radii, 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.ellipse(page, center, radii, 0, 0, 360, (0, 0, 0), 5, cv2.LINE_AA)
    return page


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda p: scaled(recoded(p, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 60), 0.5), "reencoded"),
        (lambda p: p[40:-20, 30:-50], "crop"),
        (lambda p: turned(p, 2), "crop"),
        (lambda p: bordered(p, 60, 0, (0, 0, 0)), "crop"),
        (lambda p: in_other_colors(p, 60), "recolor"),
        (lambda p: in_other_colors(p, 60)[20:-10, 10:-20], "recolor"),
        (lambda p: poster(look="startled"), "variant"),
        (lambda p: poster(look="startled")[20:-10, 10:-20], "variant"),
    ],
)
def test_a_plain_drawing_is_linked_as_any_other(change, wanted):
    assert related(poster(), change(poster())) == wanted


@pytest.mark.parametrize(
    "dressed",
    [balloon, lambda p: bordered(p, 90, 90, (0, 0, 0)), lambda p: bordered(p, 120, 20, (255, 255, 255))],
    ids=["balloon", "black frame", "white bars"],
)
def test_what_lies_over_or_around_two_drawings_links_neither(dressed):
    pages = [street(0), street(1), portrait(), *PLAIN_THINGS.values()]
    names = {
        related(dressed(one), dressed(other))
        for n, one in enumerate(pages[:3])
        for other in [*pages[:n], *pages[3:]]
    }
    assert names == {"unrelated"}


def ball(inside):
    """A disk with an outline, drawn over inside it by seed; 300 × 300 px."""
    rng = np.random.default_rng(inside)
    page = np.full((300, 300, 3), rng.integers(40, 230, 3), np.uint8)
    for x, y, radius in rng.integers((0, 0, 15), (300, 300, 60), (25, 3)).tolist():
        cv2.circle(page, (x, y), radius, rng.integers(0, 255, 3).tolist(), -1, cv2.LINE_AA)
    mask = cv2.circle(np.zeros((300, 300), np.uint8), (150, 150), 135, 1, -1)
    page[mask == 0] = 255
    return cv2.circle(page, (150, 150), 135, INK, 6, cv2.LINE_AA)


def test_an_outline_alone_links_nothing():
    balls = [ball(seed) for seed in range(5)]
    assert {related(a, b) for n, a in enumerate(balls) for b in balls[:n]} == {"unrelated"}
    assert {related(one, in_other_colors(one, 20)) for one in balls} == {"recolor"}


def planet(seed, ground=255):
    """A ball lit from above, with land and clouds that are faint and soft; 300 × 300 px."""
    rng = np.random.default_rng(seed)
    faint = cv2.GaussianBlur(rng.normal(0, 1, (300, 300)).astype(np.float32), (0, 0), 7)
    down, across = np.mgrid[-1:1:300j, -1:1:300j]
    light = 30 + 90 * np.clip(0.7 - down, 0, None) + 12 * faint / faint.std()
    page = np.clip(light[..., None] * rng.permutation((0.5, 0.8, 1.1)), 0, 255)
    page[np.hypot(down, across) > 0.9] = ground
    return page.astype(np.uint8)


def disc(page):
    """What a round flag or button shows of a page, on white."""
    height, width = page.shape[:2]
    mask = cv2.circle(np.zeros((height, width), np.uint8), (width // 2, height // 2), height // 2 - 1, 1, -1)
    page = np.where(mask[..., None] > 0, page, np.uint8(255))
    return np.ascontiguousarray(page[:, (width - height) // 2 : (width + height) // 2])


@pytest.mark.parametrize("ground", [0, 255])
def test_planets_are_linked_by_what_is_on_them(ground):
    planets = [planet(seed, ground) for seed in range(6)]
    assert {related(a, b) for n, a in enumerate(planets) for b in planets[:n]} == {"unrelated"}
    assert {related(one, in_other_colors(one, 20)) for one in planets[:3]} == {"recolor"}
    assert {related(one, scaled(one, 0.5)) for one in planets[:3]} == {"reencoded"}


@pytest.mark.parametrize(
    "colors",
    [
        [(0, 40, 150), (240, 240, 240), (220, 30, 40)],
        [(220, 30, 40), (250, 220, 0), (0, 140, 70)],
        [(10, 10, 10), (120, 160, 60), (40, 90, 200)],
    ],
)
def test_stripes_in_a_disc_link_nothing_but_an_emblem_does(colors):
    flag, other = (disc(stripes(*some)) for some in (colors, colors[1:] + colors[:1]))
    assert related(flag, other) == "unrelated"
    assert related(disc(portrait()[120:420]), disc(in_other_colors(portrait(), 20)[120:420])) == "recolor"


@pytest.mark.parametrize("by", [1.15, 1.3])
def test_what_differs_is_no_drawing_pulled_one_way(by):
    """Pens and brushes are laid on each other so."""
    startled = poster(look="startled")[20:-10, 10:-20]
    cut = startled[:, : round(startled.shape[1] / by)]
    pulled = cv2.resize(cut, startled.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert related(poster(), pulled) == "unrelated"
    assert related(poster(), startled) == "variant"


def stars(seed):
    """Dots of one or two px, that a small outline loses; 400 × 500 px."""
    rng = np.random.default_rng(seed)
    page = np.full((400, 500, 3), (6, 8, 20), np.uint8)
    for x, y, radius, level in rng.integers((0, 0, 0, 90), (500, 400, 3, 256), (260, 4)).tolist():
        cv2.circle(page, (x, y), radius, (level, level, level), -1, cv2.LINE_AA)
    return page


@pytest.mark.parametrize("seed", range(3))
def test_a_framed_sky_of_stars_is_linked_and_no_other_sky(seed):
    framed, other = (bordered(stars(n), 20, 20, (110, 110, 110)) for n in (seed, seed + 9))
    assert related(stars(seed), framed) == "reencoded"
    assert related(stars(seed), other) == "unrelated"


def phone(body, keys):
    page = np.full((300, 300, 3), 255, np.uint8)
    cv2.ellipse(page, (150, 170), (120, 90), 0, 0, 360, body, -1, cv2.LINE_AA)
    for x in (110, 150, 190):
        for y in (140, 170, 200):
            cv2.circle(page, (x, y), 9, keys, -1, cv2.LINE_AA)
    return cv2.rectangle(page, (40, 60), (260, 95), keys, -1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (((190,) * 3, (150,) * 3), ((120,) * 3, (80,) * 3)),
        (((170,) * 3, (125,) * 3), ((105,) * 3, (20,) * 3)),
        (((75,) * 3, (120,) * 3), ((10,) * 3, (60,) * 3)),
    ],
)
def test_a_black_thing_is_no_white_one_in_other_light(one, other):
    assert related(phone(*one), phone(*other)) in ("variant", "recolor")
    assert related(phone(*one), lit(phone(*one), 0.85)) == "reencoded"


@pytest.mark.parametrize("seed", range(1, 8))
def test_another_drawing_is_unrelated(seed):
    assert related(street(0), street(seed)) == "unrelated"
    assert related(portrait(), street(seed)) == "unrelated"


@settings(deadline=None, max_examples=80)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 400)),
    st.tuples(st.integers(1, 400), st.integers(1, 40)),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_no_shape_is_too_odd(shape, other, flipped, seed):
    rng = np.random.default_rng(seed)
    one, two = (View(thumbnail(rng.integers(0, 256, (*s, 3), np.uint8))) for s in (shape, other))
    assert relation(one, two, flipped) in ("reencoded", "crop", "flip", "recolor", "variant", "unrelated")
    assert relation(one, one) == "reencoded"


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_page_is_a_copy_of_itself_and_of_no_drawing(value):
    blank = np.full((300, 200, 3), value, np.uint8)
    assert related(blank, scaled(blank, 0.5)) == "reencoded"
    assert related(blank, portrait()) == "unrelated"


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ("comic_01.webp", "dup_of_comic_01_small.jpg", "reencoded"),
        ("comic_01.webp", "dup_of_comic_01_crop.webp", "crop"),
        ("vn_sylvie_01.png", "vn_sylvie_02.png", "variant"),
        ("vn_sylvie_green_01.png", "vn_sylvie_green_02.png", "variant"),
        ("vn_chibi_02.webp", "vn_chibi_03.webp", "variant"),
        ("vn_sylvie_01.png", "vn_sylvie_green_01.png", "unrelated"),
        ("comic_02.jpg", "comic_03.jpg", "unrelated"),
    ],
)
def test_the_bundled_art_is_told_apart(a, b, wanted):
    assert related(art(a), art(b)) == wanted


@pytest.mark.skipif(not DUPS.exists(), reason="the shared pictures aren't here")
def test_no_expression_or_pose_is_taken_for_a_copy():
    with open(DUPS / "negatives.csv", newline="") as file:
        pairs = [(row["a"], row["b"]) for row in csv.DictReader(file) if row["gray_zone"] == "0"]
    small = {
        name: View(thumbnail(decode((DUPS / "negatives" / name).read_bytes(), 10**8).rgb))
        for pair in pairs
        for name in pair
    }
    assert {relation(small[a], small[b]) for a, b in pairs} <= {"variant", "recolor", "unrelated"}
    assert {relation(small[b], small[a]) for a, b in pairs} <= {"variant", "recolor", "unrelated"}


@pytest.mark.skipif(not DUPS.exists(), reason="the shared pictures aren't here")
def test_of_fifteen_pictures_no_two_are_related():
    small = [
        View(thumbnail(decode(path.read_bytes(), 10**8).rgb))
        for path in sorted((DUPS / "originals").iterdir())[::6]
    ]
    assert {relation(a, b) for n, a in enumerate(small) for b in small[:n]} == {"unrelated"}
