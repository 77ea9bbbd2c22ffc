"""A spot drawn on an equal picture is seen at full resolution; a re-encoding is not taken for that."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anidata.catalog.catalog import Catalog
from anidata.duplicates import alignment, relation, retouch
from anidata.workspace import open_workspace
from drawings import drawing, save


def retouched(rgb, box=(200, 300), size=(26, 2)):
    """With a thin closed mouth: a line of few pixels, plainly darker than what it lies on."""
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
