"""Copies that benchmarks make of free art: the same by name, of the shapes they state, and made once."""

import importlib
import random

import numpy as np
import PIL.Image
import pytest

from copies import making, orders, originals
from copies.all import TRUE_COPIES
from copies.scoring import OLD
from copies.stated import TRANSFORMS
from copies.transform import generator
from drawings import drawing, save
from shared import SHARED, needs_shared

RELATIONS = {"exact", "reencoded", "flip", "turn", "crop", "recolor", "variant"}  # those that link
NOT_EVERYWHERE = {"censor_bar", "mosaic"}  # where a picture is black, or plain


def picture(seed: int = 1, width: int = 240, height: int = 180) -> PIL.Image.Image:
    return PIL.Image.fromarray(drawing(seed, width, height))


def made(name: str, image: PIL.Image.Image, seed: str = "a picture") -> PIL.Image.Image | None:
    return TRANSFORMS[name].make(image, generator(seed, name))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_gives_the_same_copy_of_the_same_name(name):
    once, again = made(name, picture()), made(name, picture())
    if once is None:
        assert name in NOT_EVERYWHERE
    else:
        assert once.tobytes() == again.tobytes()


@pytest.mark.parametrize("name", sorted(set(TRANSFORMS) - {"lossless"} - NOT_EVERYWHERE))
def test_a_copy_is_not_its_original(name, tmp_path):
    transform, image = TRANSFORMS[name], picture()
    made(name, image).save(tmp_path / f"copy.{transform.suffix}", **transform.options)
    with PIL.Image.open(tmp_path / f"copy.{transform.suffix}") as file:
        copy = file.convert("RGB")
    assert (copy.size, copy.tobytes()) != (image.size, image.tobytes())


def test_a_transform_leaves_its_picture_as_it_was():
    for name in TRANSFORMS:
        image = picture()
        made(name, image)
        assert image.tobytes() == picture().tobytes(), name


def test_there_are_at_least_40_and_each_states_what_is_right():
    assert len(TRANSFORMS) >= 40
    for transform in TRANSFORMS.values():
        assert transform.right, transform.name
        assert set(transform.right) <= RELATIONS, transform.name
        assert transform.kind, transform.name
        assert {"color", "line"}.isdisjoint(transform.name.split("_")), "names by which lineart is paired"


def test_drawings_must_stay_and_true_copies_must_go():
    of_kind = {
        transform.name: transform for transform in TRANSFORMS.values() if transform.kind == "expression"
    }
    assert len(of_kind) >= 4
    assert all(one.drop is False and one.right == ("variant",) for one in of_kind.values())
    copies = [one for one in TRANSFORMS.values() if one.kind in TRUE_COPIES]
    assert len(copies) >= 10
    assert all(one.drop and one.right == ("reencoded",) for one in copies)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resize_0.25", (60, 45)),
        ("enlarged_2_nearest", (480, 360)),
        ("quarter_left", (180, 240)),
        ("upside_down", (240, 180)),
        ("spread", (480, 180)),
        ("border_5", (258, 198)),
        ("letterbox", (240, 276)),
        ("expression_anger_0.7", (168, 126)),
    ],
)
def test_a_copy_has_the_size_that_its_name_says(name, size):
    assert made(name, picture()).size == size


@pytest.mark.parametrize(
    ("name", "share"), [("part_90", 0.9), ("part_75", 0.75), ("part_50", 0.5), ("part_25", 0.25)]
)
def test_a_crop_leaves_its_share_and_not_the_middle(name, share):
    ramp = np.zeros((180, 240, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(240)[None], np.arange(180)[:, None]
    for seed in ("a", "b", "c", "d"):
        part = np.asarray(made(name, PIL.Image.fromarray(ramp), seed))
        assert part[..., 0].size / (240 * 180) == pytest.approx(share, abs=0.02)
        left, top = int(part[0, 0, 0]), int(part[0, 0, 1])
        slack = 240 - part.shape[1], 180 - part.shape[0]
        aside = [abs(at - most / 2) for at, most in zip((left, top), slack, strict=True)]
        assert max(aside) > 0.2 * max(slack)


def test_an_expression_changes_a_face_and_nothing_else():
    image = np.asarray(picture(3, 320, 360), int)
    for name in (name for name in TRANSFORMS if name in {"expression_smile", "expression_talk"}):
        changed = np.abs(np.asarray(made(name, picture(3, 320, 360)), int) - image).max(2) > 0
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        assert 10 < np.ptp(rows) < 0.3 * 320
        assert 10 < np.ptp(columns) < 0.3 * 320


def test_what_would_change_nothing_is_not_made():
    gray = PIL.Image.fromarray(drawing(2)).convert("L").convert("RGB")
    assert all(made(name, gray) is None for name in ("saturation_1.35", "hue_20", "grayscale"))
    half = drawing(4, 120, 200)
    symmetrical = PIL.Image.fromarray(np.hstack([half, half[:, ::-1]]))
    assert made("hflip", symmetrical) is None
    assert made("upside_down", symmetrical) is not None
    white = PIL.Image.new("RGB", (200, 200), "white")
    assert made("mosaic", white) is None
    assert made("part_25", white) is None


@needs_shared
def test_the_old_transforms_are_among_them_as_they_were(monkeypatch):
    monkeypatch.syspath_prepend(SHARED / "bench")
    old = {name: rest for name, *rest in importlib.import_module("make_dups").TRANSFORMS}
    assert set(OLD) == set(old)
    image = picture(5)
    for name, (make, suffix, options) in old.items():
        ours = TRANSFORMS[name]
        assert (ours.suffix, dict(ours.options)) == (suffix, options), name
        theirs = make(image, random.Random(1))
        if name not in {"crop_2", "crop_5", "crop_10", "combo"}:  # where chance has a say
            assert made(name, image).convert("RGB").tobytes() == theirs.convert("RGB").tobytes(), name
        assert made(name, image).size == theirs.size, name


# --- files --------------------------------------------------------------------------------------------------


@pytest.fixture
def art(tmp_path):
    """Two packages; of one drawing there is a copy, a mirror image and another frame."""
    for n in range(4):
        save(tmp_path / "art" / "one" / f"{'abcd'[n] * 4}.png", drawing(n))
    for n in range(10, 13):
        save(tmp_path / "art" / "two" / f"{'abc'[n - 10] * 4}.png", drawing(n))
    save(tmp_path / "art" / "two" / "copy.jpg", drawing(0))
    save(tmp_path / "art" / "two" / "mirror.png", np.ascontiguousarray(drawing(0)[:, ::-1]))
    save(tmp_path / "art" / "one" / "bbbb-2.png", drawing(20))
    save(tmp_path / "art" / "two" / "small.png", drawing(21, 60, 60))
    save(tmp_path / "art" / "two" / "blank.png", np.full((300, 300, 3), 250, np.uint8))
    (tmp_path / "art" / "two" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    return tmp_path / "art"


def test_originals_are_distinct_and_taken_from_each_package_in_turn(art):
    chosen = originals.choose(art, 100)
    assert len(chosen) == 7
    assert len({one.name for one in chosen}) == 7
    assert {one.path.parent.name for one in originals.choose(art, 2)} == {"one", "two"}
    assert originals.choose(art, 5) == chosen[:5]


def test_a_large_original_is_brought_to_512_px_on_white(tmp_path):
    rgba = np.dstack([drawing(1, 1024, 800), np.full((800, 1024), 255, np.uint8)])
    rgba[:100, :100] = 0
    PIL.Image.fromarray(rgba).save(tmp_path / "one.png")
    image = originals.opened(tmp_path / "one.png")
    assert image.size == (512, 400)
    assert image.getpixel((5, 5)) == (255, 255, 255)


def test_copies_are_whole_counted_and_made_once(art, tmp_path):
    chosen = originals.choose(art, 3)
    made_of = making.make(chosen, tmp_path / "made", 12)
    assert [len(copies) for copies in made_of] == [13, 13, 13]
    for copies in made_of:
        assert copies[0].transform == "orig"
        for copy in copies:
            PIL.Image.open(tmp_path / "made" / copy.source / copy.file).load()
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "made").rglob("*.*")}
    assert making.make(chosen, tmp_path / "made", 12) == made_of
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "made").rglob("*.*")} == files


def test_what_was_broken_off_is_made_anew(art, tmp_path):
    (one,) = originals.choose(art, 1)
    begun = tmp_path / "made" / f".{one.name}.1234"
    begun.mkdir(parents=True)
    (begun / "half.png").write_bytes(b"")
    (copies,) = making.make([one], tmp_path / "made", 3)
    assert len(copies) == 4


def test_a_file_equal_to_its_original_is_known(tmp_path):
    flat = PIL.Image.fromarray(np.asarray(picture()) // 128 * 255)
    copies = making.write(tmp_path, "name", flat, 2, ("lossless", "jpeg_q30"))
    assert {copy.transform: copy.equal for copy in copies} == {
        "orig": True,
        "lossless": True,
        "jpeg_q30": False,
    }


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_more_bytes_and_another_format_leave_the_pixels(suffix, tmp_path):
    source = tmp_path / f"one.{suffix}"
    picture().save(source)
    before = PIL.Image.open(source).convert("RGB").tobytes()
    for n, change in enumerate((orders.more, orders.lossless)):
        folder = tmp_path / str(n)
        folder.mkdir()
        change(source, folder / source.name)
        (after,) = folder.iterdir()
        assert PIL.Image.open(after).convert("RGB").tobytes() == before
        if change is orders.more:
            assert after.stat().st_size > source.stat().st_size
