"""The card of the network's weights: whose pictures they were learned from."""

import csv
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("torch")

from lines.net import card, onnx_file
from lines.net.model import WIDTHS, built

ROWS = [
    ("0", "one", "Clip art", "Ada", "CC0-1.0"),
    ("1", "two", "Clip art", "", "CC0-1.0"),
    ("2", "three", "Emoji", "Bea", "CC-BY-4.0"),
    ("3", "one", "Clip art", "Ada", "CC0-1.0"),  # another tile of the first
]


@pytest.fixture
def data(tmp_path):
    for name in card.SETS:
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            rows = ROWS if name == "pairs" else []
            csv.writer(file).writerows([("index", "name", "source", "artist", "license"), *rows])
    return tmp_path


def test_each_picture_counts_once(data):
    assert [row["name"] for row in card.rows_of(data)] == ["one", "two", "three"]


def test_sources_name_their_license_and_every_artist(data):
    emoji = next(s for s in card.sources(card.rows_of(data)) if s["source"] == "Emoji")
    clips = next(s for s in card.sources(card.rows_of(data)) if s["source"] == "Clip art")
    assert (emoji["license"], emoji["artists"], emoji["pictures"]) == ("CC-BY-4.0", ["Bea"], 1)
    assert (clips["pictures"], clips["artists"]) == (2, ["Ada", "not named in the file"])


def test_the_card_says_what_the_file_is(data):
    weights = {name: p.numpy() for name, p in built(WIDTHS["small"], 0).state_dict().items()}
    file = onnx_file.model(weights, {"seed": "7", "widths": "small"})
    made = card.card(file, card.rows_of(data), ["clean .9"])
    assert made["bytes"] == len(file)
    assert made["training"] == {"seed": 7, "widths": "small"}
    assert made["figures"] == ["clean .9"]
    assert len(made["sha256"]) == 64


# fmt: off
APART = [  # packages that are measured on
    "micah", "open-peeps", "morevna", "openclipart-bw", "ardentryst", "flare-game", "freeorion",
    "khangman", "tuxpaint", "mate-backgrounds", "ukui-wallpapers", "renpy-demo", "opensurge",
    "dialogic", "dinosaurs", "peppercarrot", "amoebax", "gophers", "bigears", "noto", "avataaars",
    "twemoji", "notionists", "bottts", "toonhead", "personas", "bigsmile", "miniavs", "caveexpress",
    "btanks", "unknown-horizons",
]
# fmt: on


@pytest.mark.parametrize("package", APART)
def test_nothing_that_is_measured_on_was_learned_from(package):
    with (Path(card.__file__).with_name("pictures.csv")).open(newline="", encoding="utf-8") as file:
        sources = {row["source"].lower() for row in csv.DictReader(file)}
    assert sources
    assert not [source for source in sources if package in source]
