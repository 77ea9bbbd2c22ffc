"""Pairs of which places agree: exact, order-free, bounded, and with the geometry of what was cut out."""

import resource

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.duplicates.place_agreement import CROWD, LEAST, met
from anidata.duplicates.place_codes import PLACE, codes_of
from anidata.duplicates.place_seeds import BITS, MOST, TWINS, seeds
from drawings import drawing

RANDOM = st.integers(0, 2**32 - 1)


def gray(seed, width=512, height=512):
    return cv2.cvtColor(drawing(seed, width, height), cv2.COLOR_RGB2GRAY)


def at_256(luma):
    scale = 256 / max(luma.shape)
    return cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else luma


def pile(pictures):
    """Places of pictures, and whose they are."""
    owner = np.repeat(np.arange(len(pictures)), [len(places) for places in pictures])
    return np.concatenate([np.zeros(0, PLACE), *pictures]), owner.astype(np.int64)


def joined(pictures, new=None):
    return met(*pile(pictures), np.ones(len(pictures), np.bool_) if new is None else new)


def family(rng, count, groups=6, size=12):
    """Made-up places of pictures, some of which are others at a scale and shift, with bits that differ."""
    bases = [made(rng, size) for _ in range(groups)]
    pictures = []
    for _ in range(count):
        places = bases[rng.integers(groups)].copy()
        zoom, (dx, dy) = int(rng.integers(-8, 9)), rng.uniform(0, 0.3, 2) * 65535
        places["size"] = places["size"].astype(np.int64) + zoom
        places["x"] = places["x"] * 0.3 * 2 ** (zoom / 16) + dx
        places["y"] = places["y"] * 0.3 * 2 ** (zoom / 16) + dy
        for _ in range(int(rng.integers(0, 6))):
            places["code"] ^= np.uint64(1) << rng.integers(0, 63, size, dtype=np.uint64)
        places = np.concatenate([places[rng.random(size) < 0.8], made(rng, 5)])
        pictures.append(np.sort(places, order=["size", "x", "y", "code"]))
    return pictures


def made(rng, size):
    places = np.zeros(size, PLACE)
    places["x"], places["y"] = rng.integers(0, 65536, (2, size))
    places["size"] = rng.integers(60, 90, size)
    places["code"] = rng.integers(0, 2**63, size, dtype=np.uint64)
    return places


def as_set(result, names=None):
    names = range(10**6) if names is None else names
    pairs = zip(result.i.tolist(), result.j.tolist(), result.hint["agreeing"].tolist(), strict=True)
    return {(*sorted((names[i], names[j])), agreeing) for i, j, agreeing in pairs}


def brute_seeds(places, owner, new):
    """Seeds as they are defined, one pair after the other; nothing stopped."""
    twins, some = {}, []
    for number, (code, picture) in enumerate(zip(places["code"].tolist(), owner.tolist(), strict=True)):
        twins[picture, code] = twins.get((picture, code), 0) + 1
        if twins[picture, code] <= TWINS:
            some.append((number, code, picture))
    return {
        (a, b, (one ^ other).bit_count())
        for a, one, i in some
        for b, other, j in some
        if i < j and (one ^ other).bit_count() <= BITS and (new[i] or new[j])
    }


@settings(max_examples=6, deadline=None)
@given(RANDOM)
def test_seeds_are_those_of_brute_force(seed):
    rng = np.random.default_rng(seed)
    places, owner = pile(family(rng, 60))
    new = rng.random(60) < 0.5
    start = seeds(places["code"], owner, new)
    assert start.stopped == 0
    assert set(zip(start.a.tolist(), start.b.tolist(), start.distance.tolist(), strict=True)) == brute_seeds(
        places, owner, new
    )


def test_seeds_of_real_codes_are_those_of_brute_force():
    few = [codes_of(at_256(gray(seed)[dx : dx + 400, dx : dx + 400])) for seed in range(12) for dx in (0, 60)]
    places, owner = pile(few)
    new = np.ones(len(few), np.bool_)
    start = seeds(places["code"], owner, new)
    assert len(start.a) > 20
    assert set(zip(start.a.tolist(), start.b.tolist(), start.distance.tolist(), strict=True)) == brute_seeds(
        places, owner, new
    )


@settings(max_examples=6, deadline=None)
@given(RANDOM)
def test_the_order_of_pictures_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    pictures = family(rng, 40) + [made(rng, 3)] * 2
    order = rng.permutation(len(pictures))
    plain, shuffled = joined(pictures), joined([pictures[n] for n in order])
    assert len(plain.i)
    assert as_set(plain) == as_set(shuffled, order.tolist())


@settings(max_examples=6, deadline=None)
@given(RANDOM)
def test_new_pictures_bring_their_pairs_alone(seed):
    rng = np.random.default_rng(seed)
    pictures, new = family(rng, 40), rng.random(40) < 0.3
    every, some = joined(pictures), joined(pictures, new)
    assert every.stopped == some.stopped == 0
    wanted = new[every.i] | new[every.j]
    assert some.i.tolist() == every.i[wanted].tolist()
    assert some.j.tolist() == every.j[wanted].tolist()
    assert some.hint.tobytes() == every.hint[wanted].tobytes()


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_a_hint_says_where_a_crop_lies(seed, share):
    whole = gray(seed)
    side, left, top = round(512 * share), round(512 * (1 - share)), round(256 * (1 - share))
    crop = whole[top : top + side, left : left + side]
    result = joined([codes_of(at_256(crop)), codes_of(at_256(whole))])
    assert len(result.i) == 1
    hint = result.hint[0]
    assert hint["agreeing"] >= LEAST
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    right = corners * share + np.array([left, top]) / 512
    assert np.abs(corners * hint["scale"] + [hint["dx"], hint["dy"]] - right).max() < 0.02


def test_few_drawings_meet_another():
    """All of the same ellipses with the same outlines: as much alike as different drawings can be."""
    assert len(joined([codes_of(at_256(gray(seed))) for seed in range(30)]).i) < 0.25 * 30 * 29 / 2


def test_noise_meets_no_noise():
    noise = np.random.default_rng(0).integers(0, 256, (40, 64, 64), np.uint8)
    assert len(joined([codes_of(cv2.resize(page, (256, 256))) for page in noise]).i) == 0


def test_no_pictures_no_places_no_pairs():
    assert len(joined([]).i) == 0
    assert len(joined([made(np.random.default_rng(0), 0)] * 3).i) == 0


def bounded(pictures):
    before = resource.getrusage(resource.RUSAGE_SELF)
    result = joined(pictures)
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 60
    assert after.ru_maxrss - before.ru_maxrss < 1 << 20  # kB
    assert len(result.i) <= CROWD * len(pictures)
    return result


def test_copies_of_one_frame_are_left_out_and_counted():
    frame = codes_of(at_256(gray(1)))
    result = bounded([frame] * 3000)
    assert result.stopped == 3000 * len(frame)
    assert len(result.i) == 0


@pytest.mark.slow
def test_copies_of_one_frame_with_bits_that_differ_are_left_out_too():
    rng, frame = np.random.default_rng(0), codes_of(at_256(gray(1)))
    copies = [frame.copy() for _ in range(3000)]
    for places in copies:
        for _ in range(2):
            flips = np.uint64(1) << rng.integers(0, 63, len(places), dtype=np.uint64)
            places["code"] ^= np.where(rng.random(len(places)) < 0.7, flips, np.uint64(0))
    assert bounded(copies).stopped > 0.99 * 3000 * len(frame)


def test_tiles_that_repeat_within_many_pictures_are_left_out():
    tile = gray(2, 32, 32)
    pages = [np.tile(np.roll(tile, shift, (0, 1)), (8, 8)) for shift in range(MOST + 8)]
    result = bounded([codes_of(page) for page in pages])
    assert result.stopped > 0


def test_one_balloon_on_every_page_links_none():
    balloon = cv2.resize(gray(3), (96, 80), interpolation=cv2.INTER_AREA)
    pages = []
    for seed in range(120):
        page = at_256(gray(100 + seed)).copy()
        top, left = np.random.default_rng(seed).integers(0, 150, 2)
        page[top : top + 80, left : left + 96] = balloon
        pages.append(codes_of(page))
    result = bounded(pages)
    assert result.stopped > 0
    assert len(result.i) < 120 * 119 / 2 / 2  # some of its places differ from page to page, and stay
