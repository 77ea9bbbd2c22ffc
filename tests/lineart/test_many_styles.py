"""Which style a picture is drawn in, with which parameters, and how its lines are finished.

All are functions of key and recipe alone.
"""

import io
import json
from collections import Counter

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

import anidata
import networks
from absent import without_onnxruntime
from anidata import registry
from anidata.catalog.catalog import Catalog
from anidata.errors import MissingExtra, RecipeError, UnknownPart
from anidata.imaging import fit as fitting
from anidata.lineart import postprocess, selection
from anidata.lineart.styles import _line_net, adaptive, ink, xdog
from anidata.stages.extract_lineart import drawing as line_drawing
from anidata.stages.extract_lineart.config import Config
from anidata.workspace import open_workspace
from drawings import drawing, save

KEYS = [f"{n:024x}" for n in range(4000)]
LINES = """SELECT file, p.*, "offset" AS o FROM _pairs p JOIN images USING (key) WHERE style <> 'color'
    ORDER BY file, style"""


@pytest.fixture
def pile(tmp_path):
    for seed in range(6):
        save(tmp_path / f"pile/{seed}.png", drawing(seed, 300, 300))
    return tmp_path / "pile"


def drawn(command, work, pile, *words):
    """Ingest and draw; rows of the pairs with their decoded lines, by file and style."""
    command("ingest", work, pile)
    command("extract-lineart", work, "--size", 128, *words)
    with Catalog(open_workspace(work)) as views:
        rows = views.select(LINES).to_pylist()
    for row in rows:
        data = (work / "pairs" / row["tar"]).read_bytes()[row["o"] : row["o"] + row["size"]]
        row["line"] = np.asarray(PIL.Image.open(io.BytesIO(data)))
    return {(row["file"], row["style"]): row for row in rows}


# the draw


def test_styles_are_drawn_as_often_as_their_weights_say():
    weights = {"ink": 4.0, "xdog": 2.0, "dog": 0.0, "canny": 1.0}
    counts = Counter(selection.pick(weights, key, 7) for key in KEYS)
    assert counts.keys() == {"ink", "xdog", "canny"}
    assert (
        chisquare([counts[n] for n in ("ink", "xdog", "canny")], np.array([4, 2, 1]) * len(KEYS) / 7).pvalue
        > 0.001
    )


def test_another_seed_draws_others_and_the_same_one_the_same():
    weights = {"ink": 1.0, "xdog": 1.0}
    first, again, other = ([selection.pick(weights, key, seed) for key in KEYS[:500]] for seed in (0, 0, 1))
    assert first == again
    assert 0.4 < np.mean([a == b for a, b in zip(first, other, strict=True)]) < 0.6


def test_a_jittered_number_spreads_evenly_over_its_factors_and_no_further():
    config = xdog.Config()
    factors = [selection.jittered("xdog", config, 0.5, key, 3).sigma / config.sigma for key in KEYS[:800]]
    assert kstest(np.log(factors) / np.log(1.5), "uniform", (-1, 2)).pvalue > 0.001


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(registry.names("styles")), st.floats(0, 3), st.integers(0, 999))
def test_jitter_leaves_every_style_drawable_its_switches_as_they_are_and_its_types(name, share, seed):
    module = registry.load("styles", name)
    config = module.Config()
    changed = selection.jittered(name, config, share, "key", seed)
    for field in config.__dataclass_fields__:
        before, after = getattr(config, field), getattr(changed, field)
        assert type(after) is type(before)
        if not isinstance(before, int | float) or isinstance(before, bool) or not before or not share:
            assert after == before
    if not hasattr(module, "ARGUMENT"):
        module.draw(drawing(1, 40, 40), changed)


def test_without_jitter_the_parameters_are_the_recipes_own():
    config = ink.Config(mass=5.0)
    assert selection.jittered("ink", config, 0.0, "key", 0) is config


# in a workspace


def test_each_picture_of_a_mix_is_in_one_of_its_styles_and_says_in_which(tmp_path, pile, command, inline):
    words = ("--style", "mix", "--set", "lineart.mix={xdog=1, adaptive=1}", "--set", "lineart.color=png")
    rows = drawn(command, tmp_path / "work", pile, *words)
    assert {row["drawn"] for row in rows.values()} == {"xdog", "adaptive"}
    for (file, _), row in rows.items():
        module = {"xdog": xdog, "adaptive": adaptive}[row["drawn"]]
        page = fitting.fit(drawing(int(file[0]), 300, 300), 128, "pad", "area")
        assert np.array_equal(row["line"], module.draw(page, module.Config()))


def test_what_a_picture_gets_by_chance_does_not_depend_on_the_others(tmp_path, pile, command, inline):
    words = ("--style", "mix", "--style", "ink", "--set", "lineart.jitter=0.5")
    whole = drawn(command, tmp_path / "work", pile, *words)
    for file in ("0.png", "1.png", "2.png"):
        (pile / file).unlink()
    few = drawn(command, tmp_path / "other", pile, *words, "--set", "lineart.part_size=1")
    for at, row in few.items():
        assert np.array_equal(row["line"], whole[at]["line"])


def test_jitter_draws_other_lines_of_each_picture(tmp_path, pile, command, inline):
    words = ("--style", "dog", "--set", "lineart.color=png")
    plain, shaken = (
        drawn(command, tmp_path / "a", pile, *words),
        drawn(command, tmp_path / "b", pile, *words, "--set", "lineart.jitter=1"),
    )
    assert sum(not np.array_equal(plain[at]["line"], shaken[at]["line"]) for at in plain) >= 4


def test_lines_are_stored_as_the_recipe_finishes_them_and_measured_black_on_white(
    tmp_path, pile, command, inline
):
    words = (
        "--set",
        "lineart.finish.width=3",
        "--set",
        "lineart.finish.despeckle=20",
        "--set",
        "lineart.finish.polarity=white_on_black",
    )
    for (file, _), row in drawn(command, tmp_path / "work", pile, *words).items():
        page = fitting.fit(drawing(int(file[0]), 300, 300), 128, "pad", "area")
        plain = postprocess.finished(ink.draw(page, ink.Config()), postprocess.Finish(width=3, despeckle=20))
        # Color was read back from a JPEG nowhere: the same page
        assert np.mean(row["line"] != 255 - plain) < 0.02
        assert row["ink"] == pytest.approx(np.mean(plain < 128), abs=0.02)
        assert row["stroke_width"] == pytest.approx(postprocess.measure(plain).stroke_width, abs=1)
        assert row["specks"] == 0
        assert row["components"] >= 1


def test_a_soft_style_is_rejected_neither_as_a_blot_nor_for_want_of_ink(tmp_path, pile, command, inline):
    save(tmp_path / "pile/dark.png", drawing(9, 300, 300) // 6)
    command("ingest", tmp_path / "work", pile)
    words = (
        "--style",
        "gray",
        "--set",
        "clean.min_side=0",
        "--set",
        "lineart.size=64",
        "--set",
        "clean.max_flatness=1",
    )
    command("clean", tmp_path / "work", *words[2:4], *words[6:])
    report = command("extract-lineart", tmp_path / "work", *words, "--json")
    assert "blot" not in report["funnel"]["rejected"]
    report = command("extract-lineart", tmp_path / "work", "--set", "lineart.finish.binarize=128", "--json")
    assert report["funnel"]["rejected"].get("blot", 0) >= 1


# the data set


def test_a_data_set_states_style_polarity_and_marks_and_is_read_black_on_white(
    tmp_path, pile, command, inline
):
    words = (
        "lineart.styles=['mix', 'ink']",
        "lineart.mix={xdog=1, ink=1}",
        "lineart.size=128",
        "lineart.finish.polarity=white_on_black",
    )
    settings = [
        word
        for setting in (*words, "shard.splits={train=1.0}", "clean.min_side=0")
        for word in ("--set", setting)
    ]
    command("run", "quickstart", tmp_path / "work", pile, *settings)
    dataset = tmp_path / "work/dataset"
    assert command("audit", dataset, "--json")["sound"]
    read = anidata.load_dataset(dataset, styles=["mix", "ink"])
    assert {sample["meta"]["style"] for sample in read} == {"xdog", "ink"}
    for sample in read:
        about = sample["meta"]
        assert about["polarity"] == "white_on_black"
        marks = postprocess.measure(sample["lineart"]["mix"])
        assert [about[n] for n in ("ink", "stroke_width", "components", "specks")] == pytest.approx(
            list(marks[:4]), abs=1e-3
        )
        assert np.mean(sample["lineart"]["ink"]) > 127
        if about["style"] == "ink":
            assert np.array_equal(sample["lineart"]["mix"], sample["lineart"]["ink"])
    card = (dataset / "README.md").read_text()
    assert "one of the styles `ink`, `xdog`: white ink (255) on black paper (0)" in card


def test_a_network_is_pinned_in_the_recipe_and_its_path_stays_here(tmp_path, pile, command, inline):
    pytest.importorskip("onnxruntime")
    network = networks.convolution(tmp_path / "edge.onnx", [networks.EDGE / 3] * 3)
    work = tmp_path / "work"
    settings = [
        word
        for setting in ("lineart.size=64", "shard.splits={train=1.0}", "clean.min_side=0")
        for word in ("--set", setting)
    ]
    command(
        "run",
        "quickstart",
        work,
        pile,
        *settings,
        "--set",
        f"lineart.styles=['ink', 'onnx:{network}']",
        "--set",
        "lineart.style.onnx.outputs='signed'",
    )
    text = (work / "dataset/manifest.json").read_text()
    stated = json.loads(text)["recipe"]["lineart"]
    assert stated["styles"] == ["ink", "onnx"]
    assert stated["style"]["onnx"]["path"] == "edge.onnx"
    assert len(stated["style"]["onnx"]["sha256"]) == 64
    assert str(tmp_path) not in text + (work / "dataset/README.md").read_text()
    networks.convolution(tmp_path / "edge.onnx", [networks.EDGE / 5] * 3)
    assert command("status", work, "--json")  # asks no file
    with pytest.raises(RecipeError, match="sha256"):
        command("extract-lineart", work, "--size", 96)
    command("extract-lineart", work, "--size", 96, "--style", f"onnx:{network}")
    assert np.array_equal(
        anidata.draw(drawing(1), style=f"onnx:{network}"), anidata.draw(drawing(1), "onnx", {"path": network})
    )


@pytest.mark.parametrize(
    ("styles", "inexact"),
    [
        ("['ink', 'xdog']", None),
        ("['anime']", ["anime"]),
        ("['net', 'ink', 'anime']", ["anime", "net"]),
        ("['ink', 'mix']", ["anime"]),
    ],
)
def test_manifest_and_card_say_whose_last_bits_depend_on_the_processor(
    styles, inexact, tmp_path, pile, command, inline
):
    mixed = (f"lineart.styles={styles}", "lineart.mix={anime=1, xdog=1, net=0}", "lineart.size=64")
    settings = [
        word
        for setting in (*mixed, "shard.splits={train=1.0}", "clean.min_side=0", "lineart.min_ink=0")
        for word in ("--set", setting)
    ]
    command("run", "quickstart", tmp_path / "work", pile, *settings)
    dataset = tmp_path / "work/dataset"
    assert json.loads((dataset / "manifest.json").read_text()).get("inexact") == inexact
    said = "Drawn with a network: " + ", ".join(f"`{name}`" for name in inexact or [])
    assert (said in (dataset / "README.md").read_text()) is (inexact is not None)
    assert command("audit", dataset, "--json")["sound"]


def test_a_run_whose_runtime_is_missing_ends_before_the_first_picture(
    tmp_path, pile, command, inline, monkeypatch
):
    without_onnxruntime(monkeypatch)
    _line_net._opened.cache_clear()
    with pytest.raises(MissingExtra, match="onnxruntime"):
        command(
            "run",
            "quickstart",
            tmp_path / "work",
            pile,
            "--set",
            "lineart.styles=['anime']",
            "--set",
            "lineart.style.anime.runtime='onnxruntime'",
        )
    assert not list((tmp_path / "work").rglob("*.tar"))


def test_an_argument_for_a_style_that_takes_none_is_refused(tmp_path, pile, command, inline):
    with pytest.raises(RecipeError, match="takes nothing behind a colon"):
        command("ingest", tmp_path / "work", pile, "--set", "lineart.styles=['ink:fine']")
    with pytest.raises(UnknownPart, match="there is no 'inkk'"):
        anidata.draw(drawing(1), style="inkk:fine")


@pytest.mark.parametrize("mix", [{}, {"ink": 0.0}, {"artist": 1.0}, {"mix": 1.0}])
def test_a_mix_of_nothing_or_of_what_cannot_be_mixed_is_refused(mix):
    with pytest.raises(RecipeError, match="mix"):
        Config(styles=("mix",), mix=mix)


# where ink is


@pytest.mark.parametrize(("fit", "size", "height"), [("crop", 128, 900), ("bucket", 256, 1800)])
def test_a_cut_by_ink_keeps_what_a_centered_one_loses(fit, size, height):
    tall = np.full((height, 300, 3), 245, np.uint8)
    tall[:280] = drawing(3, 300, 280)
    at = line_drawing.anchored(tall, fitting.page_of(tall.shape, size, fit))
    assert at < 0.1
    kept = [ink.draw(fitting.fit(tall, size, fit, "area", where), ink.Config()) < 128 for where in (at, 0.5)]
    assert kept[0].sum() > 2 * kept[1].sum()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.integers(0, 999))
def test_the_richest_cut_is_that_of_trying_them_all(height, width, across, down, seed):
    weight = np.random.default_rng(seed).integers(0, 3, (height, width))
    at = fitting.richest(weight, (across, down))
    cut_columns = width * down > height * across
    along = weight.sum(axis=0 if cut_columns else 1)
    kept = round(height * across / down) if cut_columns else round(width * down / across)
    sums = [along[n : n + kept].sum() for n in range(max(1, len(along) - kept + 1))]
    if len(sums) > 1:
        chosen = round(at * (len(sums) - 1))
        assert sums[chosen] == max(sums)
        middle = (len(sums) - 1) / 2
        assert abs(chosen - middle) == min(abs(n - middle) for n, s in enumerate(sums) if s == max(sums))
    else:
        assert at == 0.5
