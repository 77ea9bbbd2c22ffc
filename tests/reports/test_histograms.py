"""A histogram counts every picture once, and a threshold parts its bins."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anidata.catalog import schemas
from anidata.catalog.catalog import Catalog
from anidata.catalog.decisions import Threshold
from anidata.reports.page import histograms, layout
from anidata.workspace import open_workspace
from drawings import drawing, save
from finished import run_inline

NUMBERS = st.floats(-1e9, 1e9, allow_subnormal=False)
RULES = [
    Threshold(
        stage="clean",
        reason="small",
        setting="min_side",
        about="the shorter side",
        value="least(width, height)",
        limit=90.0,
        least=True,
    ),
    Threshold(
        stage="clean",
        reason="soft",
        setting="min_sharpness",
        about="sharpness",
        value="sharpness",
        limit=0.5,
        least=True,
    ),
    Threshold(
        stage="clean",
        reason="flat",
        setting="max_flatness",
        about="flatness",
        value="flatness",
        limit=0.25,
        least=False,
    ),
    Threshold(
        stage="clean",
        reason="wide",
        setting="max_width",
        about="width",
        value="width",
        limit=120.0,
        least=False,
    ),
    Threshold(
        stage="clean",
        reason="narrow",
        setting="min_width",
        about="width",
        value="CASE WHEN height > 80 THEN width END",
        limit=70.5,
        least=True,
    ),
]

VALUES = {"small": "least(width, height)"}  # of a histogram that isn't a column's


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("histograms") / "pile"
    for n in range(40):
        save(folder / f"{n}.png", drawing(n, 64 + 7 * n % 90, 64 + n))
    save(folder / "far.png", drawing(99, 3000, 20))
    (folder / "broken.png").write_bytes(b"no picture")
    run_inline("ingest", folder.parent / "work", folder)
    return folder.parent / "work"


def measured(work, rules=()):
    with Catalog(open_workspace(work)) as views:
        return {h.name: h for h in histograms.measure(views, rules)}


def values(command, work, expression):
    sql = f"SELECT ({expression})::DOUBLE AS v FROM images WHERE status = 'ok' ORDER BY key"
    return np.array([row["v"] for row in json.loads(command("query", work, sql, "--format", "json"))], float)


@pytest.mark.parametrize("rules", [(), RULES])
def test_the_counts_are_numpys_and_no_picture_is_left_out(work, command, rules):
    for name, histogram in measured(work, rules).items():
        seen = values(command, work, VALUES.get(name, name))
        edges = [b.low for b in histogram.bins] + [math.inf]
        assert [b.count for b in histogram.bins] == [
            int(((seen >= low) & (seen < min(high, histogram.high))).sum()) for low, high in pairwise(edges)
        ]
        assert (
            histogram.below + histogram.above + sum(b.count for b in histogram.bins)
            == histogram.pictures
            == len(seen)
            == 41
        )
        assert histogram.median == pytest.approx(np.median(seen))
        assert histogram.middle == pytest.approx(np.quantile(seen, [0.05, 0.95]))


def test_a_threshold_tells_how_many_break_it_and_colors_them(work, command):
    by_name = measured(work, RULES)
    for rule in RULES:
        seen = values(command, work, rule.value)
        ours = by_name[rule.measure or rule.reason]
        assert (
            rule,
            int(((seen < rule.limit) if rule.least else (seen > rule.limit)).sum()),
        ) in ours.thresholds
        first = ours.thresholds[0][0].limit
        assert min(abs(b.low - first) for b in ours.bins) < 1e-9 * max(1, abs(first))
    wide, high = (values(command, work, name) for name in ("width", "height"))
    drawn = (wide >= by_name["width"].low) & (wide < by_name["width"].high)
    assert (
        sum(b.broken for b in by_name["width"].bins)
        == int((drawn & ((wide > 120) | ((wide < 70.5) & (high > 80)))).sum())
        > 0
    )


def test_an_end_that_lies_far_off_is_counted_and_not_drawn(work):
    histogram = measured(work)["width"]
    assert (histogram.above, histogram.below) == (1, 0)
    assert histogram.high < 500


def test_what_no_rule_looks_at_is_there_too(work):
    assert list(measured(work)) == [*schemas.measures(), "width", "height"]
    assert all(h.about for h in measured(work, RULES).values())


def test_without_pictures_there_is_nothing_to_draw(tmp_path, command, inline):
    (tmp_path / "pile").mkdir()
    command("ingest", tmp_path / "work", tmp_path / "pile")
    assert measured(tmp_path / "work", RULES) == {}


@given(NUMBERS, NUMBERS, st.lists(NUMBERS, max_size=3), NUMBERS, NUMBERS)
def test_what_is_drawn_holds_the_bulk_and_every_limit(a, b, limits, lower, upper):
    low, high = sorted((a, b))
    first, last = histograms.drawn((min(low, lower), max(high, upper)), low, high, limits)
    assert first < last
    assert first <= low <= high <= last
    assert all(first <= limit <= last for limit in limits)


@given(st.floats(1e-9, 1e9))
def test_a_step_is_round_and_no_more_than_twice_what_was_asked(least):
    for among in (histograms.STEPS, histograms.ROUND):
        step = histograms.nice(least, among)
        assert least * (1 - 1e-8) <= step <= 2.01 * least


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_within_what_is_drawn(low, span):
    high = low + span
    ticks = list(histograms.ticks(low, high))
    assert len(ticks) <= 6
    slack = 1e-6 * abs(high - low) + 1e-6
    assert all(low - slack <= tick <= high + slack for tick in ticks)


def test_a_lone_picture_among_thousands_has_a_bar_that_can_be_seen():
    bins = [
        histograms.Bin(0.0, 100_000, 0),
        histograms.Bin(1.0, 1, 1),
        histograms.Bin(2.0, 0, 0),
        histograms.Bin(3.0, 25_000, 12_500),
    ]
    histogram = histograms.Histogram(
        name="x",
        about="",
        bins=bins,
        step=1.0,
        pictures=125_001,
        median=0.0,
        middle=(0.0, 0.0),
        below=0,
        above=0,
        thresholds=[],
    )
    bars = list(layout.bars(histogram))
    assert [bar.height for bar in bars] == [100, layout.LEAST_BAR, 0, 50]
    assert [bar.broken for bar in bars] == [0, layout.LEAST_BAR, 0, 25]
