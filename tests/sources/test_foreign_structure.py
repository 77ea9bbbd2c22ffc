"""Small files that ask for much end in a row, and take nothing else with them."""

import io
import os
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bomb_lab as lab
from anidata.engine.engine import Engine, Limits
from anidata.engine.limited import Stopped, progress
from anidata.errors import SourceError
from anidata.sources import Options, Record, folder
from anidata.sources.listing.sidecars import BadSidecar, from_json, from_text, object_of
from anidata.stages.ingest.foreign import WARM, lister
from anidata.tar import untrusted


@pytest.fixture(scope="module")
def engine():
    with Engine(1) as started:
        yield started


def listed(engine, kind, path, base) -> tuple[list[Record], Stopped | None]:
    records = []
    with lister(engine) as one:
        try:
            records += one.records(kind, f"{kind}:{path}", Options(base=base))
        except Stopped as why:
            return records, why
    return records, None


MEMBERS = {
    "members.7z": (lab.sevenzip_members, ["too_large"]),
    "members.zip": (lambda path: lab.zip_members(path, 300_000), ["too_large"]),
    "ratio.zip": (lab.zip_ratio, ["bomb"] * 8),
    "pax.tar.gz": (lambda path: lab.tar_pax(path, 40), ["bomb"]),
    "names.tar": (lab.tar_names, ["unsafe_name"] * 4),
    "names.zip": (lab.zip_names, ["unsafe_name"] * 5),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_an_archive_that_asks_for_much_is_a_row(engine, name, tmp_path):
    make, codes = MEMBERS[name]
    make(tmp_path / name)
    records, stopped = listed(engine, "archive", tmp_path / name, tmp_path / "work")
    assert stopped is None
    assert [record.error for record in records if record.error] == codes


LISTS = {
    "line.txt.gz": (lambda path: lab.line(path, 200_000_000), "urls", "too_large"),
    "line.jsonl.gz": (lambda path: lab.line(path, 200_000_000), "urls", "too_large"),
    "line.csv.gz": (lambda path: lab.line(path, 200_000_000), "urls", "too_large"),
    "columns.csv": (lab.csv_columns, "urls", "too_large"),
    "cells.parquet": (lab.parquet_cells, "urls", "too_large"),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_or_table_that_asks_for_much_stops_and_says_why(engine, name, tmp_path):
    make, kind, code = LISTS[name]
    make(tmp_path / name)
    records, stopped = listed(engine, kind, tmp_path / name, tmp_path / "work")
    assert (len(records), stopped.code) == (0, code)


def test_a_line_too_deep_or_too_long_is_a_row_and_the_next_is_read(engine, tmp_path):
    lab.jsonl_deep(tmp_path / "deep.jsonl")
    with open(tmp_path / "deep.jsonl", "a") as file:
        file.write('{"url": "' + "a" * untrusted.LONGEST_LINE + '"}\n{"url": "http://a.example/b.png"}\n')
    records, stopped = listed(engine, "urls", tmp_path / "deep.jsonl", tmp_path / "work")
    assert stopped is None
    assert [record.error for record in records] == ["bad_url", None, "bad_url", None]


def test_one_broken_table_of_several_is_a_row(engine, tmp_path):
    (tmp_path / "tables").mkdir()
    pq.write_table(pa.table({"image": [b"one"]}), tmp_path / "tables/a.parquet")
    lab.parquet_footer(tmp_path / "tables/b.parquet")
    pq.write_table(pa.table({"image": [b"two"]}), tmp_path / "tables/c.parquet")
    records, stopped = listed(engine, "parquet", tmp_path / "tables", tmp_path / "work")
    assert stopped is None
    assert [record.error for record in records] == [None, "corrupt", None]
    with pytest.raises(SourceError, match=r"b\.parquet"):
        listed(engine, "parquet", tmp_path / "tables/b.parquet", tmp_path / "work")


def dies(signal_number):
    yield "first"
    os.kill(os.getpid(), signal_number)
    yield "never"


def hoards():
    yield "first"
    kept = [bytearray(64 << 20) for _ in range(64)]
    yield len(kept)


def waits():
    yield "first"
    time.sleep(60)


def goes_on():
    for _ in range(4):
        time.sleep(0.2)
        progress()
    yield "last"


@pytest.mark.parametrize(
    ("function", "arguments", "code"),
    [(dies, (11,), "crashed"), (dies, (9,), "killed"), (hoards, (), "too_large"), (waits, (), "timeout")],
)
def test_a_worker_that_dies_hoards_or_stalls_ends_its_own_stream_alone(engine, function, arguments, code):
    taken = []
    with engine.streams(__name__) as streams:
        with pytest.raises(Stopped) as caught:
            taken += streams.walk(function, arguments, Limits(1.5, 64 << 20))
        assert caught.value.code == code
        assert list(streams.walk(goes_on, (), Limits(1.5, 64 << 20))) == ["last"]


def test_progress_resets_the_time(engine):
    with engine.streams(WARM) as streams:
        assert list(streams.walk(goes_on, (), Limits(0.6, 0))) == ["last"]


def test_an_archive_among_pictures_that_kills_its_worker_is_one_row(engine, tmp_path, monkeypatch):
    (tmp_path / "pile").mkdir()
    (tmp_path / "pile/a.png").write_bytes(b"x")
    lab.zip_within(tmp_path / "pile/b.zip")

    def walk(_function, *_arguments):
        raise Stopped("crashed", "it ended its worker (SIGSEGV)")
        yield

    options = Options(base=tmp_path / "work", walk=walk)
    records = list(folder.records(str(tmp_path / "pile"), options))
    assert [(record.name, record.error) for record in records] == [("a.png", None), ("b.zip", "crashed")]


SIDECARS = {
    "deep": lab.json_deep,
    "values": lab.json_values,
    "tags": lab.json_tags,
}


@pytest.mark.parametrize("name", SIDECARS)
def test_a_sidecar_that_is_too_much_is_ignored_and_said(name, tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    SIDECARS[name](tmp_path / "a.json")
    (record,) = folder.records(str(tmp_path), Options(base=tmp_path / "work"))
    assert record.error is None
    assert record.message.startswith("a.json is ignored: ")


@pytest.mark.parametrize("depth", [untrusted.JSON_DEPTH, untrusted.JSON_DEPTH + 1, 880, 100_000])
def test_json_is_read_to_a_depth(depth):
    text = '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"
    if depth <= untrusted.JSON_DEPTH:
        assert object_of(text).keys() == {"a"}
    else:
        with pytest.raises(BadSidecar, match="deep"):
            object_of(text)


def test_a_text_longer_than_any_pictures_is_refused():
    with pytest.raises(BadSidecar, match="tags"):
        from_text(b"a," * (untrusted.MOST_TAGS + 1))
    with pytest.raises(BadSidecar, match="caption"):
        from_json(b'{"caption": "' + b"a" * (untrusted.LONGEST_TEXT + 1) + b'"}')


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_yielded_with_their_ends_and_long_ones_passed_over(end):
    text = io.StringIO(f"ab{end}abcdefghij{end}c", newline="")
    assert list(untrusted.lines(text, 5)) == [f"ab{end}", None, "c"]
