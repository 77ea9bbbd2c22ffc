"""docs/security.md speaks of limits that there are, by the values that they have."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from anidata.fetch import Config as Fetch
from anidata.stages.ingest.config import Config as Ingest
from anidata.tar import opening, untrusted
from anidata.training.weights import conversion, files, pickled

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and line.count("|") == 4]
IN = "tar/untrusted.py"  # where the page looks for constants unless it names another file


def constants():
    """(file, name) of each constant in the page's tables."""
    for row in ROWS:
        cell = row.split("|")[3]
        file = IN
        for path, name in re.findall(r"`(\w+(?:/\w+)*\.py)`|\b([A-Z][A-Z_]{3,})\b", cell):
            file = path or file
            if name:
                yield file, name


@pytest.mark.parametrize(("file", "name"), sorted(set(constants())))
def test_each_constant_stands_in_its_file(file, name):
    if name in ("JSON", "HMAC"):
        pytest.skip("a word")
    text = (ROOT / "src/anidata" / file).read_text(encoding="utf-8")
    assert re.search(rf"^{name}(: \S+)? = ", text, re.MULTILINE), (file, name)


def test_each_setting_exists():
    names = {f"ingest.{one.name}" for one in fields(Ingest)}
    names |= {f"ingest.fetch.{one.name}" for one in fields(Fetch)}
    named = re.findall(r"`(ingest\.[\w.]+)`", PAGE)
    assert len(named) > 5
    assert set(named) <= names


def row(word):
    return next(line for line in ROWS if word in line)


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("ingest.max_pixels", [Ingest().max_pixels]),
        ("ingest.max_ratio", [Ingest().max_ratio]),
        ("ingest.time_limit", [int(Ingest().time_limit)]),
        (
            "ingest.fetch.connect_time",
            [int(Fetch().connect_time), int(Fetch().idle_time), int(Fetch().total_time)],
        ),
        ("ingest.fetch.max_wait", [int(Fetch().max_wait)]),
        ("JSON_DEPTH", [untrusted.JSON_DEPTH]),
        ("JSON_VALUES", [untrusted.JSON_VALUES]),
        ("LONGEST_LINE", [untrusted.LONGEST_LINE]),
        ("MOST_COLUMNS", [untrusted.MOST_COLUMNS, untrusted.MOST_ROWS]),
        ("MOST_TAGS", [untrusted.MOST_TAGS, untrusted.LONGEST_TEXT, untrusted.MOST_EXTRA]),
        ("MOST_MEMBERS", [untrusted.MOST_MEMBERS, untrusted.LONGEST_DIRECTORY >> 20]),
        (
            "MOST_OPERATIONS",
            [
                files.MOST >> 30,
                files.MOST_HEADER >> 20,
                conversion.UNPACKED >> 20,
                pickled.MOST_OPERATIONS,
                pickled.MOST_VALUES,
                pickled.DEEPEST,
                pickled.MOST_SIDES,
            ],
        ),
        ("MOST_TEXT", [opening.MOST >> 30, opening.MOST_TEXT >> 20]),
    ],
)
def test_a_limit_has_the_value_that_the_page_states(word, values):
    cell = row(word).split("|")[2]
    assert [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", cell)][: len(values)] == values
