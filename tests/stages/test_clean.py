"""Which pictures clean rejects, and what it says of each."""

import json

import cv2
import numpy as np
import PIL.Image
import pytest

from anidata.errors import QueryError, RecipeError, UnknownPart
from anidata.stages.clean.stage import RULES, margin
from drawings import drawing, save
from finished import Restored, run_inline
from measure_lab import painted
from pages import pixel_art, text_page


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    """A pile with a picture of each defect, and the workspace that knows it."""
    home = tmp_path_factory.mktemp("ingested") / "home"
    pile = home / "pile"
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
    run_inline("ingest", home / "work", pile)
    return Restored(home)


@pytest.fixture
def work(ingested, inline):
    return ingested.restore() / "work"


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
    broken = reasons(command, work, *(f"clean.{rule.setting}={rule.off:g}" for rule in RULES))
    assert broken.pop("broken.png") == ["failed"]
    assert not any(broken.values())


def test_where_keeps_what_the_condition_is_true_for(work, command):
    broken = reasons(command, work, "clean.where=list_contains(tags, 'hat')")
    assert broken["good.png"] == []
    assert broken["gray.png"] == ["monochrome", "where"]


def test_where_treats_unknown_as_not_true(work, command):
    assert reasons(command, work, "clean.where=rating in ('g','s')")["good.png"] == ["where"]


def test_where_may_end_in_a_comment(work, command):
    assert reasons(command, work, "clean.where=width > 0 -- everything")["good.png"] == []


@pytest.mark.parametrize(
    "condition",
    [
        "no_such_column = 1",
        "width >",
        "1); DROP TABLE x; --",
        "width > (SELECT count(*) FROM read_csv('/etc/passwd'))",
    ],
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
    right, worse, worst = (0.3, 0.8, 1.0) if rule.share else (3.0, 8.0, np.inf)
    if rule.least:
        right, worse, worst = 6.0, 3.0, 0.0
    margins = margin(np.array([right, threshold, worse, worst]), threshold, rule)
    assert margins[0] == margins[1] == 0 < margins[2] < margins[3] == 1


def test_a_dark_a_pale_a_noisy_and_a_blocky_picture_have_their_reasons(tmp_path, command, inline):
    pile, good = tmp_path / "pile", drawing(5)
    save(pile / "dark.png", (good * 0.08).astype(np.uint8))
    save(pile / "pale.png", (good * 0.06 + 238).astype(np.uint8))
    noise = np.random.default_rng(0).normal(0, 30, good.shape)
    save(pile / "noisy.png", np.clip(good + noise, 0, 255).astype(np.uint8))
    save(pile / "blocky.jpg", painted(), quality=6)
    save(pile / "pixels.png", pixel_art(1, 4))
    save(pile / "lines.png", np.dstack([cv2.Canny(good, 50, 150)] * 3) ^ 255)
    save(pile / "text.png", text_page(0))
    command("ingest", tmp_path / "work", pile)
    broken = reasons(command, tmp_path / "work")
    expected = {
        "dark.png": "dark",
        "pale.png": "washed_out",
        "noisy.png": "noisy",
        "blocky.jpg": "jpeg_blocks",
        "pixels.png": "pixel_art",
    }
    assert {name: broken[name][0] for name in expected} == expected
    assert "line_drawing" in broken["lines.png"]
    assert "text_page" in broken["text.png"]


def test_a_picture_too_small_for_the_pages_of_the_data_set_is_rejected_once_told_to(work, command):
    allowed = "clean.max_enlargement=1.5"
    assert "too_small" not in reasons(command, work, allowed, "lineart.size=512")["good.png"]
    assert reasons(command, work, allowed, "lineart.size=1024")["good.png"] == ["too_small"]


def test_the_size_of_the_pages_matters_only_to_that_rule(work, command):
    command("clean", work)
    done = command("clean", work, "--set", "lineart.size=1024", "--json")["done"]
    assert done == {}


def test_what_stands_far_from_the_rest_is_an_outlier_once_told_to(tmp_path, command, inline):
    for seed in range(12):
        save(tmp_path / "pile" / f"{seed}.png", drawing(seed))
    save(tmp_path / "pile" / "odd.png", painted(0, 300, 300))
    command("ingest", tmp_path / "work", tmp_path / "pile")
    assert not any(reasons(command, tmp_path / "work").values())
    broken = reasons(command, tmp_path / "work", "clean.max_outlier=2.5")
    assert [name for name, why in broken.items() if why] == ["odd.png"]
    assert broken["odd.png"] == ["outlier"]


def test_explain_shows_every_rule_the_broken_ones_first_and_decides_nothing(work, command):
    (rules,) = command("clean", work, "--explain", "soft.png", "--json")["explain"].values()
    assert {row["rule"] for row in rules} == {rule.reason for rule in RULES}
    assert (rules[0]["rule"], rules[0]["verdict"]) == ("soft", "broken")
    assert rules[0]["value"] < rules[0]["threshold"]
    assert rules[0]["margin"] == pytest.approx(1 - rules[0]["value"] / rules[0]["threshold"])
    assert {row["verdict"] for row in rules[1:]} <= {"kept", "off"}
    assert json.loads(
        command("query", work, "SELECT keep FROM records WHERE file = 'soft.png'", "--format", "json")
    ) == [{"keep": None}]
    assert "soft" in command("clean", work, "--explain", "soft.png")


def test_explain_heeds_settings_and_takes_a_key(work, command):
    key = json.loads(
        command("query", work, "SELECT key FROM records WHERE file = 'good.png'", "--format", "json")
    )[0]["key"]
    (rules,) = command("clean", work, "--explain", key, "--set", "clean.min_side=400", "--json")[
        "explain"
    ].values()
    assert (rules[0]["rule"], rules[0]["value"]) == ("min_side", 320)


@pytest.mark.parametrize(("name", "words"), [("nix.png", "List them with"), ("broken.png", "failed as")])
def test_what_has_no_measures_cant_be_explained(work, command, name, words):
    with pytest.raises(QueryError, match=words):
        command("clean", work, "--explain", name)


@pytest.mark.parametrize("rule", [r.reason for r in RULES])
def test_a_sweep_tells_what_deciding_at_each_threshold_would_do(work, command, rule):
    costs = command("clean", work, "--sweep", rule, "--json")["sweep"]
    assert sum(cost["present"] for cost in costs) == 1
    assert len({cost["kept"] + cost["rejected"] for cost in costs}) == 1
    assert [cost["broken"] for cost in costs] == sorted(cost["broken"] for cost in costs)
    assert all(cost["alone"] <= cost["broken"] <= cost["rejected"] for cost in costs)


def test_a_sweep_agrees_with_what_clean_then_does(work, command):
    for cost in command("clean", work, "--sweep", "min_side", "--json")["sweep"]:
        broken = reasons(command, work, f"clean.min_side={cost['threshold']}")
        rejected = [why for why in broken.values() if why and why != ["failed"]]
        assert len(rejected) == cost["rejected"]
        assert sum("min_side" in why for why in rejected) == cost["broken"]
        assert sum(why == ["min_side"] for why in rejected) == cost["alone"]


def test_a_sweep_of_an_unknown_rule_names_the_nearest(work, command):
    with pytest.raises(UnknownPart, match="Did you mean 'soft'"):
        command("clean", work, "--sweep", "sofd")
