"""Scores of copies: planted records give planted figures."""

import re

import pytest

from copies import orders, scoring, tables
from copies.making import Copy
from copies.scoring import Counts

LABELS = [
    Copy("a_orig.png", "a", "orig", equal=True),
    Copy("a_jpeg_q30.jpg", "a", "jpeg_q30", equal=False),
    Copy("b_orig.png", "b", "orig", equal=True),
    Copy("b_expression_smile.png", "b", "expression_smile", equal=False),
    Copy("c_orig.png", "c", "orig", equal=True),
    Copy("c_gif.gif", "c", "gif", equal=False),
    Copy("d_orig.png", "d", "orig", equal=True),
    Copy("d_hflip.jpg", "d", "hflip", equal=False),
    Copy("e_orig.png", "e", "orig", equal=True),
    Copy("e_panel.jpg", "e", "panel", equal=False),
]


def record(
    file: str, cluster: str, keeper: str = "", relation: str = "keeper", **more: str
) -> dict[str, str]:
    keep = "False" if keeper and relation in {"reencoded", "flip", "exact"} else "True"
    row = {"file": file, "key": file, "cluster": cluster, "keeper": keeper or file, "relation": relation}
    return row | {"keep": keep} | more


# a: right, and why; b: an expression dropped; c: the original dropped for its GIF; d: for its mirror image;
# e: in the cluster of d.
RECORDS = [
    record("a_orig.png", "A"),
    record("a_jpeg_q30.jpg", "A", "a_orig.png", "reencoded", why="quality"),
    record("b_orig.png", "B"),
    record("b_expression_smile.png", "B", "b_orig.png", "reencoded"),
    record("c_orig.png", "C", "c_gif.gif", "reencoded"),
    record("c_gif.gif", "C"),
    record("d_orig.png", "D", "d_hflip.jpg", "flip"),
    record("d_hflip.jpg", "D"),
    record("e_orig.png", "D"),
    record("e_panel.jpg", "E"),
]


@pytest.fixture
def counts():
    """Each copy beside its original, and the same as a crowd."""
    alone, crowd = Counts(), Counts()
    scoring.count(LABELS, RECORDS, alone, crowd=False)
    scoring.count(LABELS, RECORDS, crowd, crowd=True)
    return alone, crowd


def test_each_copy_is_seen_with_its_relation_and_why(counts):
    fates = {fate.transform: fate for fate in counts[0].fates}
    assert fates["jpeg_q30"].why == "quality"
    assert fates["jpeg_q30"].is_right
    assert fates["jpeg_q30"].dropped
    assert fates["gif"].relation == "reencoded"
    assert fates["gif"].lost == "gif"
    assert not fates["gif"].dropped
    assert fates["panel"].relation == "apart"
    assert not fates["panel"].linked
    assert not fates["expression_smile"].is_right


def test_an_original_dropped_for_a_worse_copy_counts_and_for_a_mirror_image_in_a_crowd_alone(counts):
    alone, crowd = counts
    assert [fate.transform for fate in alone.fates if fate.is_worse_kept] == ["gif"]
    assert dict(alone.lost) == {"gif": 1}
    assert dict(crowd.lost) == {"gif": 1, "hflip": 1}
    assert (crowd.dropped, crowd.originals) == (2, 5)


def test_the_summary_has_the_planted_figures(counts):
    figures = tables.figures(*counts)
    assert figures["originals dropped for a worse copy"] == ("0.2000 (1 of 5)", "0.4000 (2 of 5)")
    assert figures["expressions lost"][0] == "1.0000 (1 of 1)"
    assert figures["true re-encodings dropped"][0] == "1.0000 (2 of 2)"
    assert figures["all transforms linked"][0] == "0.8000 (4 of 5)"
    assert figures["links within one original"][0] == "0.66667 (2 of 6 wrong)"


def test_an_original_of_equal_pixels_may_go():
    labels = [LABELS[4], LABELS[5]._replace(equal=True)]
    counts = Counts()
    rows = [record("c_orig.png", "C", "c_gif.gif", "exact"), record("c_gif.gif", "C")]
    scoring.count(labels, rows, counts, crowd=True)
    assert not counts.lost
    assert counts.fates[0].is_right


def test_records_without_why_or_keeper_are_scored(counts):
    rows = [{name: row[name] for name in ("file", "cluster", "keep")} for row in RECORDS]
    bare = Counts()
    scoring.count(LABELS, rows, bare, crowd=True)
    assert [fate.linked for fate in bare.fates] == [fate.linked for fate in counts[1].fates]
    assert [fate.dropped for fate in bare.fates] == [fate.dropped for fate in counts[1].fates]
    assert {fate.relation for fate in bare.fates} == {"through others", "apart"}
    assert (bare.dropped, dict(bare.lost)) == (2, {})


def test_a_file_that_a_tool_never_saw_is_absent():
    counts = Counts()
    scoring.count(LABELS[:2], RECORDS[:1], counts, crowd=False)
    (fate,) = counts.fates
    assert (fate.relation, fate.linked, fate.dropped) == ("absent", False, False)


def test_the_tables_print_a_row_a_transform(counts, capsys):
    alone, crowd = counts
    tables.transforms(alone, crowd, {"other": crowd})
    tables.summary(alone, crowd)
    tables.others({"other": crowd})
    tables.mirrors({"text": (10, 1, 2), "prefer": None})
    lines = capsys.readouterr().out.splitlines()
    assert "| jpeg_q30 | 1 | 1 | 1 | yes | 1 | reencoded 1 | 1 | quality 1 | 1 / 1 |  | 1 / 1 |" in lines
    assert "| gif | 1 | 1 | 0 | yes | 0 | reencoded 1 | 1 | – | 1 / 0 | 1 | 1 / 0 |" in lines
    assert "| text | 10 | 1 | .1 | 2 |" in lines
    assert "| prefer | – | – | – | – |" in lines
    assert "Worse copies for which originals were dropped, in the crowd: gif 1, hflip 1" in lines


def test_pairs_are_of_other_originals_and_of_transforms_in_turn():
    made = [
        [Copy(f"{n}_orig.png", str(n), "orig", equal=True)]
        + [Copy(f"{n}_{name}.jpg", str(n), name, equal=False) for name in ("jpeg_q30", "webp", "hue_20")]
        for n in range(4)
    ]
    pairs = orders.pairs(made, 3)
    assert len({pair.original.source for pair in pairs}) == 3
    assert [pair.copy.transform for pair in pairs] == ["jpeg_q30", "webp", "jpeg_q30"]


def test_a_pair_that_changes_its_mind_is_named(capsys):
    pair = orders.Pair(LABELS[0], LABELS[1])
    other = orders.Pair(LABELS[4], LABELS[5])
    tables.orders(
        [
            orders.Outcome(pair, {"as made": "original", "alone": "original"}),
            orders.Outcome(other, {"as made": "original", "alone": "copy"}),
        ]
    )
    said = capsys.readouterr().out
    assert "Of 2 pairs the same one stays in every condition: 1." in said
    assert "- c_gif.gif: as made: original, alone: copy" in said
    assert "| alone | 1 | 1 |  |  | 1 |" in said


def test_what_went_wrong_is_listed_with_its_file(counts):
    alone, crowd = (
        [(what, fate.copy.file) for what, fate in scoring.wrong(one, crowd=is_crowd)]
        for one, is_crowd in zip(counts, (False, True), strict=True)
    )
    assert alone == [("drawing lost", "b_expression_smile.png"), ("worse copy kept", "c_gif.gif")]
    assert crowd == [*alone, ("worse copy kept", "d_hflip.jpg")]
    kept = Counts()
    scoring.count(LABELS[:2], [record("a_orig.png", "A"), record("a_jpeg_q30.jpg", "B")], kept, crowd=True)
    assert [what for what, _ in scoring.wrong(kept, crowd=True)] == ["not linked"]


def test_a_link_of_originals_that_are_one_drawing_is_neither_right_nor_wrong(monkeypatch):
    crowd = Counts()
    scoring.count(LABELS, RECORDS, crowd, crowd=True)
    assert (crowd.same, crowd.other) == (4, 2)
    monkeypatch.setattr(scoring, "one_drawing", lambda: {frozenset("de")})
    crowd = Counts()
    scoring.count(LABELS, RECORDS, crowd, crowd=True)
    assert (crowd.same, crowd.other) == (4, 0)


def test_originals_of_one_drawing_are_named_as_their_folders_are():
    assert all(len(pair) == 2 for pair in scoring.one_drawing())
    names = {name for pair in scoring.one_drawing() for name in pair}
    assert all(re.fullmatch(r"[A-Za-z0-9-]+-[0-9a-f]{12}", name) for name in names)
