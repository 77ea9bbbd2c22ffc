"""A browser shows the report of an evaluation as meant.

Names are text, tables and pictures are there, anchors go where they say, nothing is wider than a telephone,
and the network is asked nothing.
"""

import json
import shutil

import pytest
from test_page import HOSTILE, Page
from typer.testing import CliRunner

import anidata.cli.entry
from anidata.reports.comparison.page import page
from browser import CHROMIUM, HEIGHT, asked, console, dumped, probed
from training_lab import run as trained

SETTINGS = ("train.images=16", "train.validate_every=8", "train.log_every=4")
LONG = "w" * 150  # no word breaks in it
NAMES = [*HOSTILE, "<script>alert(3)", LONG]
QUICK = ("evaluate.repetitions=100", "evaluate.shown=2", "evaluate.samples=2")
WORDS = {"file", "better", "figure", "side"}  # what the page looks up by, not what it shows

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no chromium here")


@pytest.fixture(scope="module")
def path(dataset, tmp_path_factory):
    """The page of more models than fit beside each other, a second seed of one; all names hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    data = shutil.copytree(dataset, folder / "<img src=x onerror=alert(4)> \"'& set")
    for number, name in enumerate(NAMES):
        trained(data, folder / "runs" / name, (*SETTINGS, f"model.width={number + 1}"))
    trained(data, folder / "runs" / f"{LONG}-1", (*SETTINGS, f"model.width={len(NAMES)}", "train.seed=1"))
    runs = sorted((folder / "runs").iterdir())
    options = [word for setting in QUICK for word in ("--set", setting)]
    words = ["evaluate", *runs, "--data", data, "-o", folder / "out", "--device", "cpu", *options]
    done = CliRunner().invoke(anidata.cli.entry.app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return folder / "out/index.html"


@pytest.fixture(scope="module")
def document(path):
    return json.loads((path.parent / "evaluation.json").read_text(encoding="utf-8"))


def planted(value, key=""):
    """A document with markup at the end of every text that a page may show."""
    if isinstance(value, dict):
        return {name: planted(of, name) for name, of in value.items()}
    if isinstance(value, list):
        return [planted(of, key) for of in value]
    return value + "".join(HOSTILE[:2]) if isinstance(value, str) and key not in WORDS else value


def elements(shown):
    return [(tag, sorted(attrs)) for tag, attrs in shown.tags]


def test_the_report_asks_the_network_for_nothing_and_the_console_stays_empty(path, tmp_path):
    dumped(path, tmp_path, f"--log-net-log={tmp_path / 'log.json'}")
    assert asked(tmp_path / "log.json") == []
    assert console(path, tmp_path) == []


def test_hostile_names_of_runs_and_data_sets_are_text(path, tmp_path):
    shown = Page(dumped(path, tmp_path))
    for name in (*NAMES, "<img src=x onerror=alert(4)> \"'& set"):
        assert name.replace("\u202e", r"\u202e") in shown.text, name
    assert "\u202e" not in shown.source
    assert not any(name.startswith("on") for _, attrs in shown.tags for name in attrs)
    assert not any(tag == "script" for tag, _ in shown.tags)
    assert all(attrs["src"].startswith("data:image/jpeg;") for attrs in shown.images())


def test_markup_in_any_text_of_the_document_makes_no_element_and_no_attribute(path, document, tmp_path):
    """Styles, keys, splits, notes, presets, machines … : whatever a data set, a run or a figure may say."""
    files = {
        row["file"]: (path.parent / row["file"]).read_bytes()
        for table in document["tables"]
        for sheet in table["sheets"]
        for row in sheet["rows"]
    }
    spoiled = tmp_path / "spoiled.html"
    spoiled.write_text(page(planted(document), files), encoding="utf-8")
    shown = Page(dumped(spoiled, tmp_path))
    assert shown.text.count(HOSTILE[0]) > 100
    assert elements(shown) == elements(Page(dumped(path, tmp_path)))
    assert console(spoiled, tmp_path) == []


@pytest.mark.parametrize("width", [390, 1240])
def test_the_report_can_be_read_at_any_width(path, document, tmp_path, width):
    seen = probed(path, tmp_path, width)
    assert seen["wide"] <= 0
    assert seen["letters"] >= 12
    assert len(seen["tables"]) == 1 + 2 * len(document["tables"])
    assert all(min(table) > 1 for table in seen["tables"])
    assert LONG in dict(seen["names"])
    assert all(0 < wide <= 0.4 * width for _, wide in seen["names"])
    for moved, left in seen["kept"]:  # a row's name stays in sight where its figures are looked at
        assert moved > 0 or width > 390
        assert left == pytest.approx(0, abs=1)
    assert len(seen["headings"]) > 10
    assert all(text and wide and high for text, wide, high in seen["headings"])


@pytest.mark.parametrize("width", [390, 1240])
def test_every_picture_is_shown_large_enough_to_be_seen(path, document, tmp_path, width):
    seen = probed(path, tmp_path, width)
    sheets = [sheet for table in document["tables"] for sheet in table["sheets"]]
    columns = [len(sheet["bands"][0]) for sheet in sheets for _ in sheet["rows"]]
    assert seen["pictures"] == len(columns) > 10
    assert seen["broken"] == 0
    for (natural, high, wide, tall), count in zip(seen["sizes"], columns, strict=True):
        assert wide / count >= 56  # px of each picture of a row
        assert tall / wide == pytest.approx(high / natural, rel=0.03)


def test_every_anchor_goes_to_the_heading_that_it_names(path, document, tmp_path):
    seen = probed(path, tmp_path, 1240)
    protocols = [table["protocol"] for table in document["tables"]]
    assert [anchor["text"] for anchor in seen["anchors"]] == [
        "What was compared",
        *protocols,
        "Learning curves",
    ]
    assert len(set(seen["ids"])) == len(seen["ids"])
    for anchor in seen["anchors"]:
        assert anchor["goes"] == f"#{anchor['to']}"
        assert anchor["heading"] == anchor["text"]
        assert 0 <= round(anchor["top"]) < HEIGHT
