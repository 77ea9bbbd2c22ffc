"""A spot drawn on an equal picture is seen at full resolution; a re-encoding is not taken for that."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from anidata.catalog.catalog import Catalog
from anidata.duplicates import alignment, relation, retouch
from anidata.duplicates.page import Page
from anidata.stages.dedup import verify
from anidata.workspace import open_workspace
from drawings import drawing, save


def retouched(rgb, box=(200, 300), size=(26, 2)):
    """A picture with a thin closed mouth: a line of few pixels, plainly darker than what it lies on."""
    other = rgb.copy()
    (x, y), (width, height) = box, size
    other[y : y + height, x : x + width] = (other[y : y + height, x : x + width] // 3).astype(np.uint8)
    return other


def encoded(rgb, form, **how):
    file = io.BytesIO()
    picture = Image.fromarray(rgb)
    (picture.quantize(how.pop("colors")) if "colors" in how else picture).save(file, form, **how)
    with Image.open(file) as again:
        return np.asarray(again.convert("RGB"))


def large(seed, scale=5):
    return cv2.resize(drawing(seed), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def judged(a, b):
    return retouch.may_be(alignment.thumbnail(a), alignment.thumbnail(b)) and retouch.is_retouched(a, b)


def tinged(rgb, by, box=(60, 80), size=(40, 30)):
    """A picture with an area of a slightly other color, as of a lamp that is lit."""
    other = rgb.astype(np.int16)
    (x, y), (width, height) = box, size
    other[y : y + height, x : x + width] += by
    return np.clip(other, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("by", [(0, 0, -18), (24, 0, 0), (-15, -15, -15)], ids=["yellow", "red", "shade"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_an_area_in_a_slightly_other_color_was_drawn_otherwise(seed, by, mirrored):
    page = np.clip(large(seed, 3), 30, 225)
    other = tinged(page, by)
    seen = np.ascontiguousarray(other[:, ::-1]) if mirrored else other
    one, another = (alignment.View(alignment.thumbnail(p)) for p in (page, seen))
    how, whole = "yes" if mirrored else "no", lambda: (Page(page), Page(seen))
    assert verify.pair_relation(one, another, how, whole) in {"variant", "recolor"}


@pytest.mark.parametrize("seed", range(6))
def test_a_thin_line_that_a_thumbnail_loses_is_seen(seed):
    page = np.maximum(large(seed), 90)
    other = retouched(page)
    assert (
        relation.relation(
            alignment.View(alignment.thumbnail(page)), alignment.View(alignment.thumbnail(other))
        )
        == "reencoded"
    )
    assert judged(page, other)
    assert judged(other, page)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("form", "how"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 40}),
        ("WEBP", {"quality": 80}),
        ("GIF", {"colors": 64}),
        ("PNG", {}),
    ],
)
def test_what_was_encoded_again_is_no_retouching(seed, form, how):
    page = large(seed, 3)
    assert not judged(page, encoded(page, form, **how))


@given(st.integers(0, 999), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_neither_order_nor_a_level_everywhere_matters(seed, levels):
    page = drawing(seed)
    other = np.clip(page.astype(int) + levels, 0, 255).astype(np.uint8)
    assert not judged(page, other)
    assert retouch.is_retouched(page, retouched(page)) == retouch.is_retouched(retouched(page), page)


def test_pictures_of_other_sizes_or_without_anything_drawn_are_none():
    blank = np.full((300, 300, 3), 255, np.uint8)
    assert not judged(blank, retouched(blank, (20, 20), (5, 2)))
    assert not retouch.is_retouched(large(1), drawing(1))


def test_dedup_keeps_the_retouched_picture_as_a_variant(tmp_path, command):
    page = np.maximum(large(1), 90)
    save(tmp_path / "pile" / "a.png", page)
    save(tmp_path / "pile" / "b.png", retouched(page))
    save(tmp_path / "pile" / "c.jpg", page, 90)
    command("ingest", tmp_path / "work", tmp_path / "pile")
    command("dedup", tmp_path / "work")
    with Catalog(open_workspace(tmp_path / "work")) as views:
        rows = views.select("SELECT file, keep, relation FROM records ORDER BY file").to_pylist()
    assert [(row["file"], row["keep"]) for row in rows] == [
        ("a.png", True),
        ("b.png", True),
        ("c.jpg", False),
    ]


def test_find_tells_a_retouched_picture_as_dedup_does(tmp_path, command):
    page = np.maximum(large(1), 90)
    save(tmp_path / "pile" / "a.png", page)
    command("ingest", tmp_path / "work", tmp_path / "pile")
    [answer] = command("find", tmp_path / "work", save(tmp_path / "loose.png", retouched(page)), "--json")
    assert [near["relation"] for near in answer["found"]] == ["variant"]


def face(mouth, seed=0):
    """A small face in a large shaded picture, whose mouth is 18 px wide."""
    rng = np.random.default_rng(seed)
    page = np.zeros((560, 480, 3), np.uint8)
    page[:] = np.linspace(90, 220, 560)[:, None, None] * rng.uniform(0.7, 1.0, 3)
    for x, y, radius in rng.integers((0, 180, 8), (480, 560, 50), (60, 3)).tolist():
        cv2.circle(page, (x, y), radius, rng.integers(40, 220, 3).tolist(), -1, cv2.LINE_AA)
    cv2.ellipse(page, (240, 90), (44, 56), 0, 0, 360, (236, 200, 176), -1, cv2.LINE_AA)
    for x in (222, 258):
        cv2.circle(page, (x, 80), 6, (50, 40, 60), -1, cv2.LINE_AA)
    if mouth == "smile":
        cv2.ellipse(page, (240, 108), (9, 5), 0, 0, 180, (120, 50, 60), 2, cv2.LINE_AA)
    else:
        cv2.ellipse(page, (240, 112), (6, 8), 0, 0, 360, (120, 50, 60), -1, cv2.LINE_AA)
    return page


def saturated(rgb, by):
    return np.asarray(ImageEnhance.Color(Image.fromarray(rgb)).enhance(by))


def judged_as_dedup_does(a, b):
    one, other = (alignment.View(alignment.thumbnail(p)) for p in (a, b))
    return verify.pair_relation(one, other, "no", lambda: (Page(a), Page(b)))


TREATED = {
    "palette": lambda p: encoded(p, "GIF", colors=224),
    "dithered": lambda p: np.asarray(Image.fromarray(p).convert("P", palette=1, colors=224).convert("RGB")),
    "jpeg": lambda p: encoded(p, "JPEG", quality=40),
    "more color": lambda p: saturated(p, 1.35),
    "less color": lambda p: saturated(p, 0.7),
    "enlarged": lambda p: cv2.resize(p, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("treated", TREATED)
def test_another_small_mouth_is_no_copy_however_it_was_treated(seed, treated):
    smiling, surprised = face("smile", seed), TREATED[treated](face("surprise", seed))
    assert judged_as_dedup_does(smiling, surprised) in ("variant", "recolor")
    assert judged_as_dedup_does(surprised, smiling) in ("variant", "recolor")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("treated", ["jpeg", "more color", "less color", "enlarged"])
def test_the_same_mouth_so_treated_is_not_taken_for_another(seed, treated):
    smiling = face("smile", seed)
    assert judged_as_dedup_does(smiling, TREATED[treated](smiling)) in ("reencoded", "recolor")


@pytest.mark.parametrize("treated", ["palette", "dithered"])
def test_a_palette_alone_is_not_taken_for_another_mouth(treated):
    smiling = face("smile")
    assert judged_as_dedup_does(smiling, TREATED[treated](smiling)) == "reencoded"
