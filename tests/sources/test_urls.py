"""Lists of URLs in every form: the same pictures, the same columns carried along."""

import csv
import gzip
import json
import subprocess
import sys

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata import pipeline, registry
from anidata.errors import MissingExtra, SourceError
from anidata.sources import Options
from web_lab import Web, picture, seed_of

ROWS = [
    {
        "url": "https://a.example/1.png",
        "caption": "two girls, one cup of tea",
        "tags": "1girl,blue eyes",
        "license": "CC BY 4.0",
        "artist": "mei",
        "score": "7",
    },
    {
        "url": "https://b.example/画/2.png",
        "caption": "",
        "tags": "2girls",
        "license": "",
        "artist": "",
        "score": "",
    },
]


def as_csv(path, delimiter=","):
    with open(path, "w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, ROWS[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)


MAKERS = {
    "csv": as_csv,
    "tsv": lambda path: as_csv(path, "\t"),
    "jsonl": lambda path: path.write_text(
        "\n".join(json.dumps(row | {"tags": row["tags"].split(",")}) for row in ROWS), encoding="utf-8"
    ),
    "parquet": lambda path: pq.write_table(
        pa.Table.from_pylist([row | {"tags": row["tags"].split(",")} for row in ROWS]), path
    ),
}


def records(location, **options):
    return list(
        registry.load("sources", "urls").records(
            f"urls:{location}",
            Options(base=location.parent if hasattr(location, "parent") else None, **options),
        )
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", MAKERS)
def test_every_form_gives_the_same_records_with_all_their_columns(tmp_path, form, packed):
    path = tmp_path / f"list.{form}"
    MAKERS[form](path)
    if packed:
        path = tmp_path / f"packed.{form}.gz"
        path.write_bytes(gzip.compress((tmp_path / f"list.{form}").read_bytes()))
    first, second = records(path)
    assert (first.url, first.at.uri, first.file) == (
        "https://a.example/1.png",
        "https://a.example/1.png",
        "1.png",
    )
    assert (first.caption, first.tags, first.license, first.artist) == (
        "two girls, one cup of tea",
        ("1girl", "blue eyes"),
        "CC BY 4.0",
        "mei",
    )
    assert json.loads(first.extra) == {"score": "7"}
    assert (second.url, second.file, second.caption, second.tags, second.extra) == (
        "https://b.example/%E7%94%BB/2.png", "2.png", None, ("2girls",), None
    )  # fmt: skip


def test_a_text_has_a_url_a_line_and_comments(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text(
        "\ufeff# pictures\n\nhttp://a.example/1.png\r\n  http://a.example/2.png  \nnot a url\n",
        encoding="utf-8",
    )
    assert [(r.url, r.error) for r in records(path)] == [
        ("http://a.example/1.png", None),
        ("http://a.example/2.png", None),
        (None, "bad_url"),
    ]


def test_a_list_without_an_ending_is_told_by_its_content(tmp_path):
    MAKERS["parquet"](tmp_path / "plain")
    assert [r.url for r in records(tmp_path / "plain")] == [
        "https://a.example/1.png",
        "https://b.example/%E7%94%BB/2.png",
    ]


def test_the_column_of_urls_can_be_named_and_the_others_are_kept(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("url,large\nhttp://a.example/small.png,http://a.example/large.png\n")
    [record] = records(path, url_column="large")
    assert (record.url, json.loads(record.extra)) == (
        "http://a.example/large.png",
        {"url": "http://a.example/small.png"},
    )


@pytest.mark.parametrize("index", ["0", "not a URL", "https://a.example/line.png"])
def test_a_column_without_a_name_is_no_lineart(tmp_path, index):
    """An index that pandas has written."""
    path = tmp_path / "list.csv"
    path.write_text(f",url\n{index},https://a.example/1.png\n")
    [record] = records(path)
    assert (record.url, record.line, record.line_error) == ("https://a.example/1.png", None, None)


def test_a_list_without_urls_says_which_columns_it_has(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("name,size\na,1\n")
    with pytest.raises(SourceError, match="--url-column with one of: name, size"):
        records(path)


def test_long_fields_are_read_and_leave_the_limit_of_csv_as_it_was(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(f"url,text\nhttp://a.example/1.png,{'x' * 200_000}\nhttp://a.example/2.png,\n")
    limit = csv.field_size_limit()
    assert [len(r.caption or "") for r in records(path)] == [200_000, 0]
    assert csv.field_size_limit() == limit < 200_000


@pytest.mark.parametrize(("name", "data"), [("a.parquet", b"PAR1 no"), ("a.csv.gz", b"\x1f\x8b broken")])
def test_a_broken_list_is_a_source_error(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match="can't be read as"):
        records(tmp_path / name)


@settings(deadline=None)
@given(st.lists(st.text(), max_size=5), st.sampled_from([".txt", ".csv", ".jsonl"]))
def test_any_text_is_rows_or_a_source_error(tmp_path_factory, lines, ending):
    path = tmp_path_factory.mktemp("any") / f"list{ending}"
    path.write_bytes("\n".join(["url", *lines]).encode("utf-8", "surrogatepass"))
    try:
        listing = records(path)
    except SourceError:
        return
    assert all((record.at is None) == (record.error is not None) for record in listing)


def test_credentials_in_a_url_reach_no_record(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("http://user:secret@a.example/1.png\n")
    assert "secret" not in repr(records(path))


def test_a_remote_list_is_read_by_fsspec(tmp_path):
    with fsspec.open("memory://lists/list.csv", "w") as file:
        file.write("url\nhttp://a.example/1.png\n")
    listing = list(
        registry.load("sources", "urls").records("urls:memory://lists/list.csv", Options(base=tmp_path))
    )
    assert [record.url for record in listing] == ["http://a.example/1.png"]


def test_no_query_of_a_lists_url_reaches_a_data_set():
    chosen = pipeline.Recipe(sources=("urls:https://a.example/lists/list.csv?token=secret",))
    assert pipeline.portable(chosen)["sources"] == ["urls:list.csv"]


def test_without_the_extra_the_command_that_mends_it_is_named_and_then_goes_on(
    tmp_path, command, inline, monkeypatch
):
    path = tmp_path / "list.txt"
    with Web() as web:
        path.write_text(web.url("good/1"))
        with monkeypatch.context() as patch:
            patch.setattr("importlib.util.find_spec", lambda name: None)
            with pytest.raises(MissingExtra, match=r"pip install 'anidata\[web\]'"):
                command("ingest", tmp_path / "work", f"urls:{path}", "--allow-private")
        funnel = command("ingest", tmp_path / "work", f"urls:{path}", "--json")["funnel"]
    assert (funnel["found"], funnel["failed"]) == (1, {})


def test_the_core_doesnt_import_what_only_fetching_needs():
    code = (
        "import sys, anidata.cli.entry, anidata.pipeline, anidata.catalog.catalog; "
        "sys.exit(any(n in sys.modules for n in ('aiohttp', 'fsspec')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_whole_recipe_runs_from_a_list_and_carries_license_and_artist(tmp_path, command, inline):
    with Web() as web:
        (tmp_path / "list.csv").write_text(
            "\n".join(["url,artist,license", *(f"{web.url(f'large/{n}')},mei,CC0" for n in range(4))])
        )
        web.ways["large"] = lambda client, asked: client.answer(_large(asked))
        chosen = ["--set", "ingest.fetch.allow_private=true", "--set", "ingest.fetch.rate=0"]
        done = command(
            "run", "quickstart", tmp_path / "work", f"urls:{tmp_path / 'list.csv'}", *chosen, "--json"
        )
    assert sum(done["funnel"]["samples"].values()) == 4
    rows = json.loads(
        command(
            "query",
            tmp_path / "work",
            "SELECT DISTINCT artist, license, source FROM records",
            "--format",
            "json",
        )
    )
    assert rows == [{"artist": "mei", "license": "CC0", "source": "urls"}]
    command("audit", tmp_path / "work" / "dataset")


def _large(asked):
    return picture(seed_of(asked), 320)
