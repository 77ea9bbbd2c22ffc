"""Which pictures clean rejects, and what it says of each."""

import json

import cv2
import numpy as np
import PIL.Image
import pytest

from anidata.errors import QueryError, RecipeError
from anidata.stages.clean import RULES, margin
from conftest import drawing, save


@pytest.fixture
def work(tmp_path, command, inline):
    pile = tmp_path / "pile"
    good = drawing(1)
    save(pile / "good.png", good)
    save(pile / "gray.png", np.dstack([cv2.cvtColor(good, cv2.COLOR_RGB2GRAY)] * 3))
    save(pile / "flat.png", np.full((300, 300, 3), (90, 40, 30), np.uint8))
    save(pile / "strip.png", drawing(2, 1500, 300))
    save(pile / "small.png", drawing(3, 200, 400))
    save(pile / "soft.png", cv2.GaussianBlur(drawing(4), (0, 0), 4))
    PIL.Image.fromarray(np.zeros((30, 400), np.uint8)).save(pile / "black bar.png")
    (pile / "good.txt").write_text("1girl, hat")
    (pile / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    command("ingest", tmp_path / "work", pile)
    return tmp_path / "work"


def reasons(command, work, *settings):
    command("clean", work, *(word for s in settings for word in ("--set", s)))
    rows = json.loads(command("query", work, "SELECT file, reasons, keep FROM records", "--format", "json"))
    assert all(r["keep"] == (not r["reasons"]) for r in rows)
    return {r["file"]: r["reasons"] for r in rows}


def test_each_defect_gets_its_reason_and_the_gravest_stands_first(work, command):
    assert reasons(command, work) == {
        "good.png": [],
        "gray.png": ["monochrome"],
        "flat.png": ["flat"],
        "strip.png": ["aspect"],
        "small.png": ["min_side"],
        "soft.png": ["soft"],
        "black bar.png": ["flat", "monochrome", "min_side", "aspect"],
        "broken.png": ["failed"],
    }


def test_zero_switches_a_rule_off(work, command):
    found = reasons(command, work, *(f"clean.{rule.setting}={rule.off:g}" for rule in RULES))
    assert found.pop("broken.png") == ["failed"]
    assert not any(found.values())


def test_where_keeps_what_the_condition_is_true_for(work, command):
    found = reasons(command, work, "clean.where=list_contains(tags, 'hat')")
    assert found["good.png"] == []
    assert found["gray.png"] == ["monochrome", "where"]


def test_where_treats_unknown_as_not_true(work, command):
    assert reasons(command, work, "clean.where=rating in ('g','s')")["good.png"] == ["where"]


def test_where_may_end_in_a_comment(work, command):
    assert reasons(command, work, "clean.where=width > 0 -- everything")["good.png"] == []


@pytest.mark.parametrize(
    "condition", ["no_such_column = 1", "width >", "1); DROP TABLE x; --", "width > (SELECT count(*) FROM read_csv('/etc/passwd'))"]
)
def test_a_condition_that_is_no_sql_over_the_columns_is_a_typed_error(work, command, condition):
    with pytest.raises(QueryError):
        command("clean", work, "--set", f"clean.where={condition}")


def test_a_threshold_out_of_range_is_a_typed_error(work, command):
    with pytest.raises(RecipeError, match=r"\[clean\] max_flatness"):
        command("clean", work, "--set", "clean.max_flatness=1.5")


@pytest.mark.parametrize("rule", RULES)
def test_a_margin_is_zero_on_the_right_side_and_grows_to_one(rule):
    threshold = 0.5 if rule.share else 4.0
    right, worse, worst = (6.0, 3.0, 0.0) if rule.least else (0.3, 0.8, 1.0) if threshold < 1 else (3.0, 8.0, np.inf)
    found = margin(np.array([right, threshold, worse, worst]), threshold, rule)
    assert found[0] == found[1] == 0 < found[2] < found[3] == 1
