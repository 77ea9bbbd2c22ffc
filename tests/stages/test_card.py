"""The card beside a data set reads well and means what it says, whatever the sources wrote."""

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from anidata.fetch import Config as FetchConfig
from anidata.pipeline import Recipe, portable
from anidata.stages.extract_lineart.config import Config as LineartConfig
from anidata.stages.ingest.config import Config as IngestConfig
from anidata.stages.shard import card as shard_card

HASH = "0" * 64


def shard(
    split: str = "train",
    samples: int = 3,
    licenses: dict[str, int] | None = None,
    number: str = "00000-of-00001",
) -> dict[str, Any]:
    name = f"{split}-{number}"
    paths = (f"data/{name}.tar", f"index/{name}.idx", f"metadata/{name}.parquet")
    files = {path: {"bytes": 10, "sha256": HASH} for path in paths}
    return {
        "name": name,
        "split": split,
        "samples": samples,
        "files": files,
        "licenses": {"CC0-1.0": samples} if licenses is None else licenses,
    }


def card_of(*packed: dict[str, Any], name: str = "my set", recipe: Recipe | None = None) -> str:
    return shard_card.card(name, list(packed), portable(recipe or Recipe()))


def front(card: str) -> dict[str, Any]:
    return yaml.safe_load(card.split("---\n")[1])


def tokens(card: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(card.split("---\n", 2)[2])


def shown(token: Token) -> str:
    """A line of Markdown as a reader sees it."""
    assert token.children is not None
    assert {child.type for child in token.children} <= {
        "text",
        "text_special",
        "code_inline",
        "link_open",
        "link_close",
        "softbreak",
    }
    return "".join(child.content for child in token.children)


def table(card: str, head: str) -> list[list[str]]:
    """The rows of the table whose first heading is `head`."""
    parsed = tokens(card)
    start = next(i for i, t in enumerate(parsed) if t.type == "th_open" and shown(parsed[i + 1]) == head)
    stop = next(i for i in range(start, len(parsed)) if parsed[i].type == "table_close")
    cells = [shown(parsed[i + 1]) for i in range(start, stop) if parsed[i].type == "td_open"]
    width = sum(parsed[i].type == "th_open" for i in range(start, stop))
    return [cells[i : i + width] for i in range(0, len(cells), width)]


def code(card: str, language: str) -> list[str]:
    return [t.content for t in tokens(card) if t.type == "fence" and t.info == language]


def test_splits_stand_in_the_yaml_and_in_a_table_in_the_order_of_use():
    card = card_of(
        shard("test", 1),
        shard("extra", 2),
        shard("train", 1500, number="00000-of-00002"),
        shard("train", 2, number="00001-of-00002"),
    )
    files = front(card)["configs"][0]["data_files"]
    assert files == [{"split": s, "path": f"data/{s}-*.tar"} for s in ("train", "test", "extra")]
    assert table(card, "split") == [["train", "1,502", "2"], ["test", "1", "1"], ["extra", "2", "1"]]
    assert front(card)["size_categories"] == ["1K<n<10K"]


@pytest.mark.parametrize("split", ["on", "no", "null", "true", "y", "訓練"])
def test_a_split_s_name_stays_text_in_the_yaml(split):
    assert front(card_of(shard(split)))["configs"][0]["data_files"] == [
        {"split": split, "path": f"data/{split}-*.tar"}
    ]


def test_a_card_without_a_sample_names_no_files():
    card = card_of()
    assert "configs" not in front(card)
    assert front(card)["size_categories"] == ["n<1K"]


HOSTILE = [
    "A|B <script>alert(1)</script>",
    "\\| x \\",
    "`a` ``b",
    "*a* __b__ ~~c~~",
    "[click](javascript:alert(1)) ![x](y)",
    "&lt; &amp;",
    "<!-- -->",
    "© 2024 <me@example.org>",
    "{configs} {0}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_license_is_shown_as_the_source_wrote_it(text):
    assert table(card_of(shard(licenses={text: 3})), "license, as the sources state it") == [[text, "3"]]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_data_set_s_name_is_shown_as_it_is(text):
    parsed = tokens(card_of(shard(), name=text))
    assert shown(parsed[1]) == text.strip()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_no_license_breaks_the_table(text):
    (cell, samples), other = table(
        card_of(shard(licenses={text: 3, "MIT": 1})), "license, as the sources state it"
    )
    visible = [c for c in text if c.isprintable() and not c.isspace()]
    assert (list(cell.replace(" ", "")), samples) == (visible or list("notstated"), "3")
    assert other == ["MIT", "1"]


def test_line_breaks_and_control_characters_in_a_license_are_left_out():
    assert table(
        card_of(shard(licenses={"CC\n\n| BY\x1b[31m\x07": 1})), "license, as the sources state it"
    ) == [["CC | BY[31m", "1"]]


def test_licenses_are_summed_over_tars_the_most_frequent_first():
    packed = [shard(licenses={"MIT": 1, "": 2}), shard("val", licenses={"MIT": 4, "CC0-1.0": 2})]
    assert table(card_of(*packed), "license, as the sources state it") == [
        ["MIT", "5"],
        ["not stated", "2"],
        ["CC0-1.0", "2"],
    ]


def test_a_license_a_picture_makes_no_endless_table():
    rows = table(
        card_of(shard(licenses={f"my own {n:04d}": 1 for n in range(1000)})),
        "license, as the sources state it",
    )
    assert len(rows) == shard_card.LICENSES + 1
    assert rows[-1] == [f"{1000 - shard_card.LICENSES:,} others", f"{1000 - shard_card.LICENSES:,}"]


def test_files_are_named_with_the_suffixes_and_styles_of_the_recipe():
    recipe = Recipe(lineart=LineartConfig(styles=("canny", "xdog"), color="webp", size=768, fit="bucket"))
    card = card_of(shard(), recipe=recipe)
    files = dict(table(card, "file"))
    assert list(files) == ["KEY.color.webp", "KEY.lineart.png", "KEY.lineart.xdog.png", "KEY.json"]
    assert "canny" in files["KEY.lineart.png"]
    assert "768²" in files["KEY.color.webp"]
    assert all('"color.webp"' in block for block in code(card, "python"))


def test_code_compiles_and_reads_a_split_that_is_there():
    for block in code(card_of(shard("test")), "python"):
        compile(block, "card", "exec")
        assert re.search(r'"data/test-\*\.tar"|split="test"', block)


def test_the_recipe_stays_in_its_block_whatever_it_holds():
    recipe = Recipe(sources=("a```b", "{name}", "```"))
    (toml,) = code(card_of(shard(), recipe=recipe), "toml")
    assert "a```b" in toml
    assert toml.rstrip().endswith("test = 0.1")


def test_no_placeholder_is_left_in_the_card():
    assert not re.search(r"\{\w+\}", card_of(shard()))


def test_a_card_says_when_opt_outs_were_ignored_and_never_whom_hosts_may_write_to():
    ignoring = Recipe(ingest=IngestConfig(fetch=FetchConfig(ignore_opt_out=True, contact="mei@a.example")))
    assert "those too whose hosts forbid it" in card_of(shard(), recipe=ignoring)
    assert "mei@a.example" not in card_of(shard(), recipe=ignoring)
    assert "whose hosts forbid it" not in card_of(shard()).split("## Recipe")[0]
