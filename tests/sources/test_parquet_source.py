"""Tables of pictures, as the Hub has them, give what the same pictures in a folder give."""

import io
import json

import cv2
import datasets
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets.table import embed_table_storage

from anidata import registry
from anidata.errors import SourceError
from anidata.sources import Options
from anidata.storage import read
from drawings import drawing, save
from web_lab import Web, page


def records(location, base, **options):
    return list(
        registry.load("sources", "parquet").records(f"parquet:{location}", Options(base=base, **options))
    )


def answers(command, work, sql):
    return json.loads(command("query", work, sql, "--format", "json"))


@pytest.fixture
def table(tmp_path):
    """Four pictures in a parquet of the datasets library's own making."""
    files = [str(save(tmp_path / "pile" / f"{n}.png", drawing(n))) for n in range(4)]
    data = datasets.Dataset.from_dict(
        {"image": files, "text": [f"caption {n}" for n in range(4)], "score": list(range(4))}
    )
    data = (
        data.cast_column("image", datasets.Image())
        .with_format("arrow")
        .map(embed_table_storage, batched=True)
    )  # as a push to the Hub does
    (tmp_path / "tables").mkdir()
    data.to_parquet(str(tmp_path / "tables" / "train.parquet"))
    return tmp_path / "tables" / "train.parquet"


def test_a_table_of_the_hubs_gives_the_pictures_of_their_folder_with_its_columns(
    table, tmp_path, command, inline
):
    command("ingest", tmp_path / "work", f"parquet:{table}")
    command("ingest", tmp_path / "other", tmp_path / "pile")
    rows = answers(
        command, tmp_path / "work", "SELECT file, key, caption, extra, status FROM records ORDER BY file"
    )
    wanted = answers(command, tmp_path / "other", "SELECT file, key FROM records ORDER BY file")
    assert [row["key"] for row in rows] == [row["key"] for row in wanted]
    assert [(row["caption"], json.loads(row["extra"]), row["status"]) for row in rows] == [
        (f"caption {n}", {"score": n}, "ok") for n in range(4)
    ]


def test_pictures_are_copied_once_and_outlive_their_table(table, tmp_path, command, inline):
    work = tmp_path / "work"
    command("ingest", work, f"parquet:{table.parent}")
    [blob] = work.glob("blobs/parquet-*.tar")
    before = blob.stat().st_mtime_ns
    command("ingest", work, f"parquet:{table.parent}", "--refresh")
    assert blob.stat().st_mtime_ns == before
    table.unlink()
    assert command("extract-lineart", work, "--json")["done"]["color"] == 4


def test_lineart_in_a_second_column_is_carried_through_as_a_pair(tmp_path, command, inline):
    def png(rgb):
        return cv2.imencode(".png", rgb)[1].tobytes()

    rows = [
        {
            "lines": png(255 - (cv2.Canny(drawing(n), 60, 120) > 0).astype("uint8") * 255),
            "color": png(drawing(n)),
            "n": n,
        }
        for n in range(3)
    ]
    rows[2]["lines"] = png(
        255 - (cv2.Canny(drawing(7), 60, 120) > 0).astype("uint8") * 255
    )  # another picture's
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    command(
        "ingest", tmp_path / "work", f"parquet:{tmp_path / 'a.parquet'}", "--set", "ingest.line_column=lines"
    )
    assert [
        json.loads(r["extra"])
        for r in answers(command, tmp_path / "work", "SELECT extra FROM records ORDER BY extra")
    ] == [{"n": n} for n in range(3)]
    done = command("extract-lineart", tmp_path / "work", "--style", "artist", "--json")["done"]
    assert done["artist"] == 2  # the third doesn't fit its color


def test_a_column_of_lineart_that_is_not_there_is_told(tmp_path):
    pq.write_table(pa.table({"jpg": pa.array([b"x"], pa.binary()), "n": [1]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"no pictures in a column 'lines'\. Type .* one of: jpg, n"):
        records(tmp_path / "a.parquet", tmp_path, line_column="lines")


def test_a_row_without_bytes_or_with_too_many_is_a_row_that_says_so(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"n": [1, 2, 3], "jpg": pa.array([b"x" * 10, None, b"x" * 99], pa.binary())}), path
    )
    assert [(r.error, r.at and r.at.size, r.name) for r in records(path, tmp_path, max_bytes=50)] == [
        (None, 10, "0"), ("empty", None, "1"), ("empty", None, "2")
    ]  # fmt: skip


def test_a_table_of_urls_is_told_where_it_belongs(tmp_path):
    pq.write_table(pa.table({"url": ["http://a.example/1.png"]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"type: urls:.*a\.parquet"):
        records(tmp_path / "a.parquet", tmp_path)


def test_a_broken_table_is_a_source_error(tmp_path):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"image": pa.array([b"x" * 5000], pa.binary())}), buffer)
    (tmp_path / "a.parquet").write_bytes(buffer.getvalue()[:100])
    with pytest.raises(SourceError, match="can't be read as parquet"):
        records(tmp_path / "a.parquet", tmp_path)


# --- elsewhere ----------------------------------------------------------------------------------------------


def png(seed):
    return cv2.imencode(".png", drawing(seed, 96, 96))[1].tobytes()


def parquet(*seeds):
    buffer = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist(
            [{"image": {"bytes": png(n), "path": f"{n}.png"}, "artist": "mei"} for n in seeds]
        ),
        buffer,
    )
    return buffer.getvalue()


def test_tables_on_a_server_give_what_they_would_here_and_are_taken_once(tmp_path, command, inline):
    work = tmp_path / "work"
    with Web() as web:
        for n in range(2):
            web.pages[f"/t-{n}.parquet"] = page(parquet(2 * n, 2 * n + 1), ETag=f'"{n}"')
        words = ["ingest", work, f"parquet:{web.url('t-{0..1}.parquet')}", "--allow-private"]
        command(*words)
        rows = answers(command, work, "SELECT file, status, artist FROM records ORDER BY file")
        assert [tuple(row.values()) for row in rows] == [(f"{n}.png", "ok", "mei") for n in range(4)]
        blobs = {path.name: path.stat().st_mtime_ns for path in work.glob("blobs/*.tar")}
        web.log.asked.clear()
        command(*words)
        assert web.log.paths() == ["/t-0.parquet", "/t-1.parquet"]  # for their headers: nothing is new
        web.pages["/t-1.parquet"] = page(parquet(2, 3, 9), ETag='"new"')
        command(*words)
    assert len(answers(command, work, "SELECT key FROM records")) == 5
    assert blobs.items() <= {path.name: path.stat().st_mtime_ns for path in work.glob("blobs/*.tar")}.items()
    assert not list((work / "tmp").iterdir())


@pytest.mark.parametrize("location", ["memory://tables/one", "memory://tables/one/a.parquet"])
def test_tables_of_any_file_system_that_fsspec_reaches_are_read(location, tmp_path):
    with fsspec.open("memory://tables/one/a.parquet", "wb") as file:
        file.write(parquet(1, 2))
    listing = records(location, tmp_path / "work")
    assert [record.file for record in listing] == ["1.png", "2.png"]
    assert [read(record.at, tmp_path / "work", 1 << 20) for record in listing] == [png(1), png(2)]
    assert listing[0].name == ("a.parquet/0" if location.endswith("one") else "0")


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        ("http://127.0.0.1:1/a.parquet", "--allow-private"),
        ("memory://nowhere/a.parquet", "Check the URL"),
        ("simplecache::http://127.0.0.1:1/a.parquet", "Type it alone"),
    ],
)
def test_a_table_that_cant_be_had_says_why(location, wanted, tmp_path):
    with pytest.raises(SourceError, match=wanted):
        records(location, tmp_path / "work")
    with pytest.raises(SourceError, match=wanted):
        registry.load("sources", "parquet").state(f"parquet:{location}", Options(base=tmp_path / "work"))


class Refusal(Exception):
    """What a cloud's package raises: an error of its own."""


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        ("parquet", "isdir"),
        ("parquet", "open"),
        ("webdataset", "info"),
        ("webdataset", "open"),
        ("urls", "open"),
    ],
)
def test_what_a_clouds_package_raises_of_its_own_ends_that_source_alone(
    kind, call, tmp_path, monkeypatch, command, inline
):
    with fsspec.open("memory://refusing/a.tar", "wb") as file:
        file.write(b"x" * 1024)

    def refuse(*_, **__):
        raise Refusal("403 from the cloud")

    monkeypatch.setattr(f"fsspec.implementations.memory.MemoryFileSystem.{call}", refuse)
    save(tmp_path / "pile/1.png", drawing(1))
    if kind == "webdataset":
        command("ingest", tmp_path / "work", "webdataset:memory://refusing/a.tar", tmp_path / "pile")
        rows = answers(command, tmp_path / "work", "SELECT status, message FROM records ORDER BY status")
        assert [row["status"] for row in rows] == ["failed", "ok"]
        assert "403 from the cloud" in rows[0]["message"]
        return
    with pytest.raises(SourceError, match="403 from the cloud"):
        list(
            registry.load("sources", kind).records(f"{kind}:memory://refusing/a.tar", Options(base=tmp_path))
        )


def test_a_tables_url_with_credentials_is_refused(tmp_path, command, inline):
    with pytest.raises(SourceError, match="credentials in a URL") as refusal:
        command("ingest", tmp_path / "work", "parquet:http://mei:secret@127.0.0.1:1/a.parquet")
    assert "secret" not in str(refusal.value)
