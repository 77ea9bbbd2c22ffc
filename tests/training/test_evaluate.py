"""`anidata evaluate`: runs and trivial colorizers in one report; what can't be compared is refused."""

import csv
import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from anidata import ownership, registry
from anidata.errors import DatasetError, Locked, RecipeError, RunError, UnknownPart, WorkspaceError
from anidata.training.evaluation import colorizers, contestants, ranking
from anidata.training.evaluation import evaluate as evaluation
from anidata.training.metrics import Figure
from training_lab import make_dataset
from training_lab import run as trained

SETTINGS = ("train.images=8", "train.validate_every=0")
QUICK = ("--set", "evaluate.repetitions=100", "--set", "evaluate.shown=1", "--set", "evaluate.samples=2")


@pytest.fixture(scope="module")
def runs(dataset, tmp_path_factory):
    """Two seeds of the tiny model, and one with hints."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        trained(dataset, folder / f"tiny-{seed}", (*SETTINGS, f"train.seed={seed}"))
    hints = 'train.conditions=["lineart", "hints"]'
    plain = ("model.noise=0.0", "model.dropout=0.0")
    trained(dataset, folder / "hinted", (*SETTINGS, hints, *plain))
    return folder


def evaluate(*words):
    """The JSON of the command."""
    done = CliRunner().invoke(
        anidata.cli.entry.app,
        ["evaluate", *map(str, words), *QUICK, "--json", "--device", "cpu"],
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def report(runs, dataset, tmp_path_factory):
    """The report's folder and its document."""
    folder = tmp_path_factory.mktemp("report") / "out"
    words = (runs / "tiny-0", runs / "tiny-1", runs / "hinted", "--data", dataset, "-o", folder)
    return folder, evaluate(*words)


def test_protocols_are_never_mixed(report):
    _, document = report
    tables = {table["protocol"]: {row["name"] for row in table["rows"]} for table in document["tables"]}
    trivial = {"line", "gray", "mean", "nearest"}
    assert tables == {
        "lineart of ink": {"tiny", "hinted"} | trivial,
        "lineart of ink, 10 hints": {"hinted"} | trivial,
        "lineart of xdog": {"tiny", "hinted"} | trivial,
        "lineart of xdog, 10 hints": {"hinted"} | trivial,
    }
    trained_on = {model["name"]: model["trained_on"] for model in document["colorizers"]}
    assert trained_on == {"tiny": ["ink"], "hinted": ["ink"]}


def test_seeds_are_one_model_and_figures_have_intervals(report):
    _, document = report
    assert [run["seed"] for run in document["colorizers"][0]["runs"]] == [0, 1]
    [tiny] = [row for row in document["tables"][0]["rows"] if row["name"] == "tiny"]
    psnr = tiny["figures"]["psnr"]
    assert psnr["low"] <= psnr["value"] <= psnr["high"]
    assert psnr["value"] == pytest.approx(np.mean(psnr["seeds"]), rel=1e-4)
    assert tiny["figures"]["msssim"]["skipped"] == "too small"
    assert tiny["figures"]["lpips"] == {"value": None, "skipped": "no weights"}


def test_figures_are_means_of_the_pictures(report):
    folder, document = report
    with open(folder / "pictures.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["protocol"] == "lineart of ink"]
    assert len({row["key"] for row in rows}) == document["pictures"] == 3
    by_hand = np.mean([float(row["ciede2000"]) for row in rows if row["colorizer"] == "line"])
    [line] = [row for row in document["tables"][0]["rows"] if row["name"] == "line"]
    assert line["figures"]["ciede2000"]["value"] == pytest.approx(by_hand, rel=1e-4)


def test_evaluating_twice_gives_the_same_bytes(report, runs, dataset, tmp_path):
    folder, _ = report
    evaluate(runs / "tiny-0", runs / "tiny-1", runs / "hinted", "--data", dataset, "-o", tmp_path / "again")
    names = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.suffix)
    assert len(names) > 5
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_a_batch_is_colored_once_for_all_the_rows_that_it_has_in_a_sheet(runs, dataset, monkeypatch):
    calls = []
    sample = colorizers.sample
    monkeypatch.setattr(colorizers, "sample", lambda *of: calls.append(of[-1]) or sample(*of))

    chosen = ("evaluate.repetitions=10", "evaluate.shown=3")
    order = evaluation.Order(runs=[runs / "tiny-0"], dataset=dataset, settings=chosen, device="cpu")
    evaluation.evaluate(order)  # what it costs is measured once
    calls.clear()
    files = evaluation.evaluate(order).files
    tried, tables, scored, sheets = 2, 2, 1, 1
    assert len(files) == tables * 3
    assert len(calls) == tried + tables * (scored + sheets)


def test_the_page_needs_nothing_else_and_escapes_names(report):
    folder, _ = report
    page = (folder / "index.html").read_text()
    assert page.count("data:image/jpeg;base64,") >= 4
    assert "http:" not in page
    assert "https:" not in page
    assert "lineart of xdog, 10 hints" in page


def test_a_figure_by_which_a_trivial_one_wins_is_marked_and_has_no_say(report):
    _, document = report
    for table in document["tables"]:
        assert not set(table["counted"]) & set(table["marked"])
        assert table["counted"]
        assert set(table["marked"].values()) <= {"line", "gray", "mean", "nearest"}


def test_a_table_in_which_the_trivial_win_by_all_figures_says_that_it_has_no_order(
    runs, dataset, monkeypatch
):
    order = evaluation.Order(runs=[runs / "tiny-0"], dataset=dataset, device="cpu")
    beaten = dict.fromkeys(figures_of_pictures(), "line")
    for marks, said in ((beaten, 2), ({}, 0)):
        monkeypatch.setattr(ranking, "marked", lambda *_, marks=marks: dict(marks))
        document = evaluation.evaluate(order).document
        notes = [note for note in document["warnings"] if "there is no order" in note]
        assert len(notes) == said
        assert [bool(table["ranking"]) for table in document["tables"]] == [not said] * 2


def figures_of_pictures():
    modules = [registry.load("metrics", name) for name in registry.names("metrics")]
    return [name for module in modules for name in module.FIGURES]


def test_a_look_at_test_is_recorded_and_the_next_ones_are_told(dataset, tmp_path):
    # a split of one picture tells nothing: val stands for one that isn't trained or chosen by
    other = ("train.validation=test",)
    trained(dataset, tmp_path / "run", (*SETTINGS, *other))
    words = ("--data", dataset, "-o", tmp_path / "out")
    first = evaluate(tmp_path / "run", *words)
    again = evaluate(tmp_path / "run", *words)
    assert first["warnings"] == again["warnings"]
    assert len(json.loads((tmp_path / "run/touched.json").read_text())) == 1
    trained(dataset, tmp_path / "run", ("train.images=16", "train.validate_every=0", *other))
    later = evaluate(tmp_path / "run", *words)
    assert any("measured on val before, with 1 other weights" in note for note in later["warnings"])


def test_runs_of_other_sizes_data_sets_or_conditions_are_refused(runs, dataset, tmp_path):
    trained(dataset, tmp_path / "small", (*SETTINGS, "train.size=8"))
    trained(dataset, tmp_path / "gray", (*SETTINGS, 'train.conditions=["gray"]'))
    for other, said in (("small", "other sizes"), ("gray", "shares no protocol")):
        with pytest.raises(RecipeError, match=said):
            evaluate(runs / "tiny-0", tmp_path / other, "--data", dataset, "-o", tmp_path / "out")
    foreign = make_dataset(tmp_path / "foreign")
    shutil.copytree(runs / "tiny-0", tmp_path / "moved")
    recorded = json.loads((tmp_path / "moved/environment.json").read_text())
    (tmp_path / "moved/environment.json").write_text(json.dumps(recorded | {"dataset": "0" * 64}))
    with pytest.raises(RecipeError, match=r"evaluate\.other=true"):
        evaluate(tmp_path / "moved", "--data", foreign, "-o", tmp_path / "out")
    words = ("--data", foreign, "-o", tmp_path / "out", "--set", "evaluate.other=true")
    assert evaluate(tmp_path / "moved", *words)["pictures"] == 3
    assert not (tmp_path / "moved/touched.json").exists()


def test_what_gives_no_figures_is_said_with_a_remedy(runs, dataset, tmp_path):
    words = (runs / "tiny-0", "--data", dataset)
    with pytest.raises(DatasetError, match="of one cluster"):
        evaluate(*words, "--split", "test", "-o", tmp_path / "out")
    with pytest.raises(UnknownPart, match="no split 'valid'"):
        evaluate(*words, "--split", "valid", "-o", tmp_path / "out")
    with pytest.raises(RecipeError, match="goal"):
        evaluate(*words, "--set", "evaluate.goal=fame", "-o", tmp_path / "out")
    shutil.copytree(runs / "tiny-0", tmp_path / "cut")
    (tmp_path / "cut/model.safetensors").unlink()
    with pytest.raises(RunError, match=r"no model\.safetensors"):
        evaluate(tmp_path / "cut", "--data", dataset, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_the_users_is_no_place_for_a_report(runs, dataset, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(WorkspaceError, match="other files"):
        evaluate(runs / "tiny-0", "--data", dataset, "-o", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_neither_a_data_set_nor_a_run_becomes_a_report(runs, dataset):
    for folder, said in (
        (dataset / "report", "lies in a data set"),
        (dataset, "no report"),
        (runs / "tiny-0", "no report"),
    ):
        with pytest.raises(WorkspaceError, match=said):
            evaluate(runs / "tiny-0", "--data", dataset, "-o", folder)
    assert not (dataset / "report").exists()


FIGURES = {
    "near": Figure("lower", "", 0, 9, "how far", "color"),
    "line": Figure("higher", "", 0, 1, "how fine", "style"),
    "fooled": Figure("lower", "", 0, 9, "what gray wins", "color"),
}


def planted():
    """Figures of three colorizers: `painter` has the better colors, `inker` the better lines."""
    values = {
        "near": {"painter": 1.0, "inker": 2.0, "gray": 5.0},
        "line": {"painter": 0.5, "inker": 0.9, "gray": 0.1},
        "fooled": {"painter": 3.0, "inker": 2.0, "gray": 1.0},
    }
    return {name: {who: np.full((1, 4), v) for who, v in of.items()} for name, of in values.items()}


@pytest.mark.parametrize(("goal", "first"), [("color", "painter"), ("style", "inker")])
def test_the_goal_weighs_the_order(goal, first):
    values = planted()
    means = {name: {who: float(v.mean()) for who, v in of.items()} for name, of in values.items()}
    marked = ranking.marked(means, FIGURES, ["gray"])
    assert marked == {"fooled": "gray"}
    found = ranking.rank({name: of for name, of in values.items() if name not in marked}, FIGURES, goal)
    assert found.counted == ["near", "line"]
    assert [name for name, _ in found.order] == [first, "inker" if first == "painter" else "painter", "gray"]


def test_the_best_one_leads_by_a_figure_or_there_is_no_order():
    means = {"near": {"painter": 1.0, "inker": 6.0, "gray": 5.0}, "fooled": {"painter": 3.0, "gray": 1.0}}
    assert ranking.marked(means, FIGURES, ["gray"]) == {"near": "gray", "fooled": "gray"}
    assert ranking.foremost(means, FIGURES, ["gray"]) == ["near"]
    assert ranking.foremost({"fooled": means["fooled"], "line": {}}, FIGURES, ["gray"]) == []
    assert ranking.rank({}, FIGURES, "color").order == []


@pytest.mark.parametrize(
    ("names", "common"), [(["gan-0", "gan-1"], "gan"), (["a_seed1", "a_seed2"], "a"), (["x"], "x")]
)
def test_seeds_have_the_name_that_they_share(names, common):
    assert contestants.common_name(names) == common


def test_a_model_that_isnt_told_lines_meets_the_trivial_ones_in_any_style(dataset, tmp_path):
    trained(dataset, tmp_path / "gray", (*SETTINGS, 'train.conditions=["gray"]'))
    words = ("--data", dataset, "-o", tmp_path / "out", "--set", 'evaluate.styles=["xdog"]')
    [table] = evaluate(tmp_path / "gray", *words)["tables"]
    assert table["protocol"] == "gray"
    assert {row["name"].endswith("/gray") for row in table["rows"] if not row["trivial"]} == {True}
    [gray] = [row for row in table["rows"] if row["name"] == "gray" and row["trivial"]]
    assert gray["figures"]["mae_lab"]["value"] > gray["figures"]["mae_lab_l"]["value"]


def test_pictures_of_an_earlier_report_go_and_the_users_stay(runs, dataset, tmp_path):
    words = (runs / "tiny-0", "--data", dataset, "-o", tmp_path / "out")
    evaluate(*words, "--set", "evaluate.shown=3")
    mine = tmp_path / "out/pictures/mine.jpg"
    mine.write_text("mine")
    shown = set((tmp_path / "out/pictures").glob("*-*.jpg"))
    evaluate(*words, "--set", 'evaluate.styles=["ink"]')
    left = set((tmp_path / "out/pictures").glob("*-*.jpg"))
    assert left < shown
    assert mine.read_text() == "mine"


def test_a_run_in_training_is_not_looked_at_on_test(dataset, tmp_path):
    other = ("train.validation=test",)
    trained(dataset, tmp_path / "run", (*SETTINGS, *other))
    words = (tmp_path / "run", "--data", dataset, "-o", tmp_path / "out")
    with ownership.locked(tmp_path / "run"), pytest.raises(Locked):
        evaluate(*words)
    assert not (tmp_path / "run/touched.json").exists()
    assert not (tmp_path / "out").exists()
