"""Every kind of source keeps the contract in `anidata.sources`."""

import importlib.util
import io
import os
import re
import tarfile
import zipfile
from pathlib import Path

import cv2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anidata import registry
from anidata.errors import SourceError
from anidata.sources import Options, Record
from anidata.stages.ingest.plan import source_of
from drawings import drawing
from gallery_lab import Booru, post

KINDS = registry.names("sources")


def make_folder(base: Path) -> str:
    for name in ("b.png", "a.png", "sub/c.png", "sub/\udcff\n.png", ".hidden/x.png"):
        path = base / "pile" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))
    (base / "pile" / "a.json").write_text('{"artist": "x\\ud800\\u0000y", "tags": ["1girl", "\\udfff"]}')
    return f"folder:{base / 'pile'}"


def make_archive(base: Path) -> str:
    path = base / "pile.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("b.png", "a.png", "sub/c.png", "../evil.png", "a.txt"):
            archive.writestr(name, f"content of {name}", zipfile.ZIP_DEFLATED)
    return f"archive:{path}"


def make_urls(base: Path) -> str:
    path = base / "list.csv"
    odd = "http://a.example/b/\udcff\x01 1.png?q=%"
    path.write_text(
        f"url,tags\nhttps://a.example/a.png,1girl\n{odd},\nno url,x\n,\n",
        encoding="utf-8",
        errors="surrogateescape",
    )
    return f"urls:{path}"


def make_parquet(base: Path) -> str:
    path = base / "tables" / "a b.parquet"
    path.parent.mkdir(exist_ok=True)
    rows = [
        {"image": {"bytes": b"x", "path": "a/b.png"}, "text": "a caption"},
        {"image": {"bytes": None, "path": None}, "text": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return f"parquet:{path.parent}"


def make_webdataset(base: Path) -> str:
    folder = base / "shards"
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / "00000.tar", "w") as tar:
        for name in ("b/0.jpg", "b/0.json", "\udcff 1.png", "../evil.png", "a.txt", "a.webp"):
            info = tarfile.TarInfo(name)
            info.size = 2
            tar.addfile(info, io.BytesIO(b"{}"))
    rows = [
        {"key": "0", "status": "success", "url": None},
        {"key": "7", "status": "failed_to_download", "url": "http://a.example/\u0000"},
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "00000.parquet")
    return f"webdataset:{folder}"


def make_video(base: Path) -> str:
    pytest.importorskip("scenedetect", reason="PySceneDetect isn't installed")
    folder = base / "films"
    folder.mkdir(exist_ok=True)
    (folder / "b\udcff.mp4").write_bytes(b"none")
    writer = cv2.VideoWriter(str(folder / "a b.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 24, (320, 240))
    for n in range(48):
        writer.write(drawing(n // 24, 320, 240))
    writer.release()
    return f"video:{folder}"


def make_gallery(base: Path) -> str:
    if importlib.util.find_spec("gallery_dl") is None:
        pytest.skip("gallery-dl isn't installed")
    odd = post(
        2,
        file_url="/b/\udcff\x01 1.png?q=%",
        tag_string="a\0b \ud800",
        tag_string_artist="x\ud800\0y",
        rating="\0",
    )
    booru = Booru(
        [post(5), post(4, file_url="/a.mp4", file_ext="mp4"), odd, post(1, file_url="ftp://x/1.png")]
    )
    return booru.__enter__().source  # a thread of a daemon: it ends with the tests


MAKERS = {
    "sample": lambda _: "sample:",
    "folder": make_folder,
    "archive": make_archive,
    "urls": make_urls,
    "parquet": make_parquet,
    "webdataset": make_webdataset,
    "gallery": make_gallery,
    "video": make_video,
}


def listed(kind: str, tmp_path: Path) -> list[Record]:
    if kind not in MAKERS:
        pytest.skip(f"no way to make a small source of kind {kind} here: add one to MAKERS")
    source, options = MAKERS[kind](tmp_path), Options(base=tmp_path / "work", allow_private=True)
    first, second = (list(registry.load("sources", kind).records(source, options)) for _ in range(2))
    assert first == second
    return first


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_says_what_it_is_and_what_to_type(kind):
    source = registry.load("sources", kind)
    assert registry.title(source)
    assert len(registry.title(source)) < 140
    assert source.EXAMPLE == str(source.EXAMPLE) != ""


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_behind_the_colon_is_an_error_that_says_what_to_type(kind, tmp_path, monkeypatch):
    make_webdataset(tmp_path)  # a folder that one happens to be in, with something in it to be taken
    monkeypatch.chdir(tmp_path / "shards")
    source = registry.load("sources", kind)
    if not source.TAKES:
        assert source_of(f"{kind}:") == (kind, source)
        return
    with pytest.raises(SourceError) as refusal:
        source_of(f"{kind}:")
    assert str(refusal.value) == (
        f"{kind}:: nothing stands behind the colon. Type {source.TAKES}: {source.EXAMPLE}"
    )


def test_the_sample_alone_takes_nothing_behind_the_colon():
    assert [kind for kind in KINDS if not registry.load("sources", kind).TAKES] == ["sample"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_accepts_its_example_and_its_name_and_no_other_kind_does(kind):
    example = registry.load("sources", kind).EXAMPLE
    assert [other for other in KINDS if registry.load("sources", other).accepts(example)] == [kind]
    assert [other for other in KINDS if registry.load("sources", other).accepts(f"{kind}:")] == [kind]


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_makes_a_source_stumble_before_it_is_opened(kind, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    hostile = [
        "",
        "\0",
        "x" * 5000,
        "\udcff",
        "a/../..",
        "http://127.0.0.1:1/x.zip",
        str(tmp_path / "pipe"),
        "C:\\x",
        "nothing:",
    ]
    for text in hostile:
        assert registry.load("sources", kind).accepts(text) in (True, False)


@pytest.mark.parametrize("kind", KINDS)
def test_records_come_in_the_same_order_with_names_of_their_own(kind, tmp_path):
    records = listed(kind, tmp_path)
    assert len({(record.root, record.name) for record in records}) == len(records) > 1
    assert len({record.root for record in records}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_is_utf_8_without_nuls(kind, tmp_path):
    for record in listed(kind, tmp_path):
        texts = [record.root, record.name, record.file, record.stamp, *record.tags]
        texts += [
            record.error,
            record.message,
            record.url,
            record.license,
            record.artist,
            record.rating,
            record.caption,
        ]
        for text in filter(None, texts):
            assert "\0" not in text
            assert text.encode().decode() == text
        assert re.fullmatch(r"[A-Za-z0-9_.~/%#-]+", record.name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_has_a_reference_or_the_reason_why_it_has_none(kind, tmp_path):
    for record in listed(kind, tmp_path):
        assert (record.at is None) == (record.error is not None)
        assert record.error is None or (re.fullmatch("[a-z_]+", record.error) and record.message)


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_rest_is_a_source_error_or_a_row_never_another_exception(kind, tmp_path):
    if kind not in MAKERS:
        pytest.skip("not a source of files")
    with pytest.raises(SourceError, match="Type"):
        list(registry.load("sources", kind).records(f"{kind}:{tmp_path / 'nothing'}", Options(base=tmp_path)))
