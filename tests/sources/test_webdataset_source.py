"""WebDataset tars and img2dataset's folders give their pictures with all that is said of them.

Every loss is a row.
"""

import gzip
import http.server
import io
import json
import tarfile
import threading

import cv2
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset

from anidata import registry
from anidata.errors import SourceError
from anidata.sources import Options
from anidata.storage import read
from drawings import drawing


def png(seed, gray=False):
    rgb = drawing(seed)
    return cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) if gray else rgb[..., ::-1])[
        1
    ].tobytes()


def lines_of(seed):
    gray = cv2.cvtColor(drawing(seed), cv2.COLOR_RGB2GRAY)
    return cv2.imencode(".png", 255 - (cv2.Canny(gray, 60, 120) > 0).astype("uint8") * 255)[1].tobytes()


def written(path, samples):
    """A tar of the webdataset library's own making."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with webdataset.TarWriter(str(path)) as sink:
        for sample in samples:
            sink.write(sample)
    return path


def listed(text, base, **options):
    return list(
        registry.load("sources", "webdataset").records(
            f"webdataset:{text}", Options(base=base / "work", **options)
        )
    )


def answers(command, work, sql):
    return json.loads(command("query", work, sql, "--format", "json"))


@pytest.fixture
def shards(tmp_path):
    """Two tars of two samples each."""
    for n in range(2):
        said = [{"artist": "Ann", "tags": ["cat", "hat"], "license": "cc0", "score": k} for k in (0, 1)]
        written(
            tmp_path / "shards" / f"a-{n:03d}.tar",
            [
                {
                    "__key__": f"{n}{k}",
                    "png": png(2 * n + k),
                    "json": said[k],
                    "txt": f"A cat number {k}.",
                    "cls": k,
                }
                for k in (0, 1)
            ],
        )
    return tmp_path / "shards"


def test_samples_of_the_webdataset_library_come_with_their_caption_and_their_json(
    shards, tmp_path, command, inline
):
    command("ingest", tmp_path / "work", f"webdataset:{shards}")
    rows = answers(
        command,
        tmp_path / "work",
        "SELECT file, status, caption, artist, license, tags, extra FROM records ORDER BY file",
    )
    assert [row["file"] for row in rows] == ["00.png", "01.png", "10.png", "11.png"]
    assert {(row["status"], row["artist"], row["license"], tuple(row["tags"])) for row in rows} == {
        ("ok", "Ann", "cc0", ("cat", "hat"))
    }
    assert [row["caption"] for row in rows] == ["A cat number 0.", "A cat number 1."] * 2
    assert [json.loads(row["extra"]) for row in rows] == [
        {"cls": "0", "score": 0},
        {"cls": "1", "score": 1},
    ] * 2


def test_a_plain_tar_is_read_where_it_lies(shards, tmp_path):
    records = listed(shards, tmp_path)
    assert [read(record.at, tmp_path / "work", 1 << 20) for record in records] == [png(n) for n in range(4)]
    assert not (tmp_path / "work" / "blobs").exists() or not list((tmp_path / "work" / "blobs").glob("*.tar"))


@pytest.mark.parametrize(
    "pattern", ["a-{000..001}.tar", "a-{000,001}.tar", "a-00{0..1}.tar", "{a,b}-{000..009}.tar"]
)
def test_a_pattern_with_braces_names_the_tars_that_there_are(pattern, shards, tmp_path):
    records = listed(f"{shards}/{pattern}", tmp_path)
    assert [(record.root, record.name) for record in records] == [
        (record.root, record.name) for record in listed(shards, tmp_path)
    ]


def test_a_second_run_adds_nothing_and_a_changed_tar_is_listed_anew(shards, tmp_path, command, inline):
    work = tmp_path / "work"
    command("ingest", work, f"webdataset:{shards}")
    assert command("ingest", work, f"webdataset:{shards}", "--json").get("added", 0) == 0
    written(shards / "a-002.tar", [{"__key__": "x", "png": png(9)}])
    command("ingest", work, f"webdataset:{shards}")
    assert len(answers(command, work, "SELECT key FROM records WHERE status = 'ok'")) == 5


def img2dataset_folder(folder):
    """As img2dataset lays it out: tar, table and counts side by side."""
    good = {
        "url": "http://a.example/0.jpg",
        "caption": "a cat",
        "key": "000000000",
        "status": "success",
        "error_message": None,
        "width": 320,
    }
    bad = {
        "url": "http://a.example/1.jpg",
        "caption": "a dog",
        "key": "000000001",
        "status": "failed_to_download",
        "error_message": "HTTP 404",
    }
    lost = {
        "url": "http://a.example/2.jpg",
        "caption": "a hen",
        "key": "000000002",
        "status": "success",
        "error_message": None,
    }
    written(folder / "00000.tar", [{"__key__": "000000000", "jpg": png(1), "json": good, "txt": "a cat"}])
    pq.write_table(
        pa.Table.from_pylist([good, bad | {"width": None}, lost | {"width": 5}]), folder / "00000.parquet"
    )
    (folder / "00000_stats.json").write_text('{"count": 3}')
    return folder


def test_what_img2dataset_could_not_fetch_is_a_row_with_its_reason(tmp_path, command, inline):
    work = tmp_path / "work"
    command("ingest", work, f"webdataset:{img2dataset_folder(tmp_path / 'out')}")
    rows = answers(
        command, work, "SELECT status, error, message, url, caption, extra FROM records ORDER BY url"
    )
    assert [(row["status"], row["error"], row["url"], row["caption"]) for row in rows] == [
        ("ok", None, "http://a.example/0.jpg", "a cat"),
        ("failed", "not_fetched", "http://a.example/1.jpg", "a dog"),
        ("failed", "missing", "http://a.example/2.jpg", "a hen"),
    ]
    assert rows[1]["message"] == "img2dataset: failed_to_download: HTTP 404"
    assert json.loads(rows[0]["extra"])["width"] == 320


def test_lineart_beside_its_color_is_carried_through_as_a_pair(tmp_path, command, inline):
    work = tmp_path / "work"
    written(
        tmp_path / "p.tar",
        [{"__key__": f"{n}", "color.png": png(n), "lineart.png": lines_of(n)} for n in range(3)],
    )
    command("ingest", work, f"webdataset:{tmp_path / 'p.tar'}")
    assert len(answers(command, work, "SELECT key FROM records")) == 3
    done = command("extract-lineart", work, "--style", "artist", "--json")["done"]
    assert (done["artist"], done["color"]) == (3, 3)


def test_lineart_that_a_program_drew_is_no_artists_and_no_picture_either(tmp_path):
    about = {"style": "ink", "polarity": "black on white"}
    written(
        tmp_path / "p.tar",
        [
            {
                "__key__": "0",
                "color.png": png(0),
                "lineart.png": lines_of(0),
                "lineart.xdog.png": lines_of(0),
                "json": about,
            }
        ],
    )
    [record] = listed(tmp_path / "p.tar", tmp_path)
    assert (record.file, record.line) == ("0.color.png", None)


def tar_of(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_a_tar_that_is_cut_short_gives_what_stands_before_and_a_row_for_the_rest(tmp_path):
    data = tar_of([(f"{n}.png", png(n)) for n in range(3)])
    (tmp_path / "a.tar").write_bytes(data[: 2 * len(data) // 3])
    records = listed(tmp_path / "a.tar", tmp_path)
    assert [record.error for record in records][-1] == "truncated"
    assert records[0].at
    assert len({record.name for record in records}) == len(records)


def test_hostile_members_are_rows(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in (
            ("x.png", tarfile.SYMTYPE),
            ("../y.png", tarfile.REGTYPE),
            ("/etc/z.png", tarfile.REGTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    assert sorted(record.error for record in listed(path, tmp_path)) == ["link", "unsafe_name", "unsafe_name"]


def test_json_that_is_none_is_ignored_and_said(tmp_path):
    (tmp_path / "a.tar").write_bytes(tar_of([("0.png", png(0)), ("0.json", b"[" * 100_000)]))
    [record] = listed(tmp_path / "a.tar", tmp_path)
    assert record.at
    assert "0.json is ignored" in record.message


def test_a_packed_tar_is_copied_once(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(
        gzip.compress(tar_of([("0.png", png(0)), ("0.txt", b"A cat sits there.")]))
    )
    [record] = listed(tmp_path / "a.tar.gz", tmp_path)
    [blob] = (tmp_path / "work" / "blobs").glob("*.tar")
    before = blob.stat().st_mtime_ns
    assert listed(tmp_path / "a.tar.gz", tmp_path) == [record]
    assert blob.stat().st_mtime_ns == before
    assert read(record.at, tmp_path / "work", 1 << 20) == png(0)
    assert record.caption == "A cat sits there."


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_tars_of_any_file_system_that_fsspec_reaches_are_read_as_streams(pack, tmp_path):
    name = "a.tar" if pack is bytes else "a.tar.gz"
    with fsspec.open(f"memory://bucket/{name}", "wb") as file:
        file.write(pack(tar_of([("0.png", png(0)), ("1.png", png(1))])))
    records = listed(f"memory://bucket/{name}", tmp_path)
    assert [read(record.at, tmp_path / "work", 1 << 20) for record in records] == [png(0), png(1)]
    assert listed(f"memory://bucket/{name}", tmp_path) == records


@pytest.fixture
def server(tmp_path):
    """Serves tmp_path/served, in the manner of a plain server that knows no ranges.

    `cut` bytes of each answer's end are left out.
    """
    (tmp_path / "served").mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        cut = 0

        def __init__(self, *args):
            super().__init__(*args, directory=tmp_path / "served")

        def copyfile(self, source, outputfile):
            data = source.read()
            outputfile.write(data[: len(data) - self.cut])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield Handler, f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def test_tars_on_a_server_are_read_as_streams_and_asked_for_once(server, tmp_path, command, inline):
    _, url = server
    for n in range(2):
        (tmp_path / "served" / f"a-{n}.tar").write_bytes(
            tar_of([(f"{n}.png", png(n)), (f"{n}.json", b'{"artist": "Ann"}')])
        )
    command("ingest", tmp_path / "work", f"webdataset:{url}/a-{{0..2}}.tar", "--allow-private")
    rows = answers(
        command, tmp_path / "work", "SELECT file, status, error, artist FROM records ORDER BY file"
    )
    assert [(row["file"], row["status"], row["artist"]) for row in rows if row["status"] == "ok"] == [
        ("0.png", "ok", "Ann"), ("1.png", "ok", "Ann")
    ]  # fmt: skip
    assert [row["error"] for row in rows if row["status"] == "failed"] == ["http_404"]  # a-2.tar isn't there


def test_a_tar_that_couldnt_be_had_has_no_row_once_it_can(server, tmp_path, command, inline):
    _, url = server

    def errors(*words):
        command("ingest", tmp_path / "work", f"webdataset:{url}/a-{{0..1}}.tar", "--allow-private", *words)
        return [
            row["error"]
            for row in answers(
                command, tmp_path / "work", "SELECT error FROM records ORDER BY error NULLS FIRST"
            )
        ]

    (tmp_path / "served" / "a-0.tar").write_bytes(tar_of([("0.png", png(0))]))
    assert errors() == [None, "http_404"]
    assert errors() == [None, "http_404"]
    whole = tar_of([("1.png", png(1)), ("2.png", png(2))])
    (tmp_path / "served" / "a-1.tar").write_bytes(whole[:-40_000])
    assert errors("--refresh") == [None, None, "truncated"]
    (tmp_path / "served" / "a-1.tar").write_bytes(whole)
    assert errors() == [None, None, None]


def test_an_answer_that_breaks_off_is_a_row_and_the_next_run_reads_it_again(server, tmp_path):
    handler, url = server
    (tmp_path / "served" / "a.tar").write_bytes(tar_of([(f"{n}.png", png(n)) for n in range(3)]))
    handler.cut = 20_000
    broken = listed(f"{url}/a.tar", tmp_path, allow_private=True)
    assert broken[-1].error in ("truncated", "unreadable")
    handler.cut = 0
    assert [record.error for record in listed(f"{url}/a.tar", tmp_path, allow_private=True)] == [None] * 3


def test_a_url_with_credentials_is_refused_before_it_is_written_down(tmp_path, command, inline):
    work = tmp_path / "work"
    with pytest.raises(SourceError, match="credentials in a URL") as refusal:
        command("ingest", work, "webdataset:http://ann:secret@127.0.0.1:1/a.tar")
    assert "secret" not in str(refusal.value)
    assert not any(b"secret" in path.read_bytes() for path in work.rglob("*") if path.is_file())


@pytest.mark.parametrize("text", ["", "nothing.tar", "nothing-{0..3}.tar", "a{0..999999999}.tar"])
def test_where_there_is_nothing_the_error_says_what_to_type(text, tmp_path):
    with pytest.raises(SourceError, match="Type"):
        listed(f"{tmp_path}/{text}" if text else "", tmp_path)
