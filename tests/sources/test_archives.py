"""An archive becomes records: its members' very bytes, refusals as rows; none costs more than it may."""

import bz2
import gzip
import hashlib
import io
import os
import stat
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import py7zr
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anidata.errors import SourceError, StorageError
from anidata.sources import Options, Record, archive, folder
from anidata.sources.archives import limits as unpacking
from anidata.storage import decode, read, uri_of

Files = dict[str, bytes]
NOISE = hashlib.shake_128(b"anidata").digest(300_000)  # doesn't pack
FILES: Files = {
    "b.png": NOISE[:70_000],
    "a.png": b"small",
    "sub/c d.png": b"x" * 5000,
    "sub/ü.jpg": b"",
    "deep/er/e.webp": NOISE[:600],
}


def make_zip(path: Path, files: Files, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return path


def make_tar(path: Path, files: Files, mode: str = "w", form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, mode, format=form) as out:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return path


def make_7z(path: Path, files: Files, **options) -> Path:
    with py7zr.SevenZipFile(path, "w", **options) as out:
        for name, data in files.items():
            out.writestr(data, name)
    return path


MAKERS: dict[str, Callable[[Path, Files], Path]] = {
    "x.zip": make_zip,
    "stored.cbz": lambda path, files: make_zip(path, files, zipfile.ZIP_STORED),
    "bz2.zip": lambda path, files: make_zip(path, files, zipfile.ZIP_BZIP2),
    "lzma.zip": lambda path, files: make_zip(path, files, zipfile.ZIP_LZMA),
    "x.tar": make_tar,
    "gnu.tar": lambda path, files: make_tar(path, files, form=tarfile.GNU_FORMAT),
    "x.tar.gz": lambda path, files: make_tar(path, files, "w:gz"),
    "x.tar.bz2": lambda path, files: make_tar(path, files, "w:bz2"),
    "x.tar.xz": lambda path, files: make_tar(path, files, "w:xz"),
    "x.7z": make_7z,
    "copy.7z": lambda path, files: make_7z(path, files, filters=[{"id": py7zr.FILTER_COPY}]),
    "deflate.7z": lambda path, files: make_7z(path, files, filters=[{"id": py7zr.FILTER_DEFLATE}]),
    "bzip2.7z": lambda path, files: make_7z(path, files, filters=[{"id": py7zr.FILTER_BZIP2}]),
}
PACKED = [name for name in MAKERS if name not in ("stored.cbz", "x.tar", "gnu.tar")]


def options(base: Path, **limits) -> Options:
    return Options(base=base / "work", **limits)


def listed(path: Path, **limits) -> list[Record]:
    return list(archive.records(f"archive:{path}", options(path.parent, **limits)))


def contents(path: Path, records: list[Record]) -> Files:
    return {
        decode(record.name): read(record.at, path.parent / "work", 1 << 30) for record in records if record.at
    }


def errors(records: list[Record]) -> dict[str, str | None]:
    return {decode(record.name): record.error for record in records}


def blobs(path: Path) -> list[str]:
    return sorted(file.name for file in (path.parent / "work").rglob("*") if file.is_file())


@pytest.mark.parametrize("kind", MAKERS)
def test_members_come_sorted_with_their_very_bytes(kind, tmp_path):
    path = MAKERS[kind](tmp_path / kind, FILES)
    records = listed(path)
    assert [decode(record.name) for record in records] == [
        "a.png",
        "b.png",
        "deep/er/e.webp",
        "sub/c d.png",
        "sub/ü.jpg",
    ]
    assert contents(path, records) == FILES
    assert {record.root for record in records} == {uri_of(path)}
    assert [record.file for record in records] == ["a.png", "b.png", "e.webp", "c d.png", "ü.jpg"]


@pytest.mark.parametrize("kind", MAKERS)
def test_what_it_is_shows_in_its_content_not_in_its_name(kind, tmp_path):
    path = MAKERS[kind](tmp_path / kind, FILES).rename(tmp_path / "picture.png")
    assert archive.accepts(str(path))
    assert not folder.accepts(str(path))
    assert contents(path, listed(path)) == FILES


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        b"\x89PNG\r\n",
        b"\0" * 10240,
        gzip.compress(b"no tar", mtime=0),
        bz2.compress(b""),
        b"\x1f\x8b",
        b"\xfd7zXZ\0",
        b"x" * 512,
    ],
)
def test_what_is_no_archive_is_not_taken_for_one(data, tmp_path):
    (tmp_path / "x.zip").write_bytes(data)
    assert not archive.accepts(str(tmp_path / "x.zip"))
    with pytest.raises(SourceError, match="this is no zip"):
        listed(tmp_path / "x.zip")


def test_a_missing_archive_says_what_to_type(tmp_path):
    with pytest.raises(SourceError, match=r"there is no such archive\. Type the path"):
        listed(tmp_path / "x.zip")


@pytest.mark.parametrize("kind", ["x.tar", "gnu.tar", "stored.cbz"])
def test_members_that_are_not_packed_stay_where_they_lie(kind, tmp_path):
    path = MAKERS[kind](tmp_path / kind, FILES)
    assert {record.at.uri for record in listed(path)} == {uri_of(path)}
    assert [name for name in blobs(path) if name.endswith(".tar")] == []


@pytest.mark.parametrize("kind", PACKED)
def test_packed_members_lie_in_a_plain_tar_of_the_workspace(kind, tmp_path):
    path = MAKERS[kind](tmp_path / kind, FILES)
    (uri,) = {record.at.uri for record in listed(path)}
    assert uri.startswith("blobs/archive-")
    with tarfile.open(tmp_path / "work" / uri) as tar:
        note = {"blob": uri.removeprefix("blobs/").encode()}
        assert {decode(info.name): tar.extractfile(info).read() for info in tar} == FILES | note


@pytest.mark.parametrize("kind", MAKERS)
def test_a_second_listing_reads_nothing_but_the_first(kind, tmp_path, monkeypatch):
    evil = {} if kind.endswith("7z") else {"../evil.png": b""}  # py7zr doesn't write such names
    path = MAKERS[kind](tmp_path / kind, {**FILES, **evil, "a.json": b'{"artist": "Ann"}'})
    first = listed(path)
    monkeypatch.setattr("anidata.sources.archives.archive._read", lambda *_: pytest.fail("unpacked again"))
    assert listed(path) == first
    assert "Ann" in {record.artist for record in first}


def test_a_changed_archive_is_unpacked_again_and_its_stamps_change(tmp_path):
    path = make_zip(tmp_path / "x.zip", FILES)
    before = listed(path)
    make_zip(path, {**FILES, "a.png": b"other"})
    os.utime(path, ns=(0, 1))
    after = listed(path)
    assert contents(path, after)["a.png"] == b"other"
    assert all(one.stamp != other.stamp for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("kind", PACKED)
def test_the_copies_are_the_same_bytes_every_time(kind, tmp_path):
    path = MAKERS[kind](tmp_path / kind, FILES)

    def copy() -> dict[str, bytes]:
        listed(path)
        return {name: (tmp_path / "work" / "blobs" / name).read_bytes() for name in blobs(path)}

    first = copy()
    for name in blobs(path):
        (tmp_path / "work" / "blobs" / name).unlink()
    assert copy() == first
    next((tmp_path / "work" / "blobs").glob("*.tar")).unlink()  # the listing alone is not enough
    assert copy() == first


@pytest.mark.parametrize("kind", PACKED)
def test_a_listing_that_is_killed_leaves_nothing_behind(kind, tmp_path, monkeypatch):
    path = MAKERS[kind](tmp_path / kind, FILES)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("anidata.sources.archives.archive._save", killed)
        with pytest.raises(KeyboardInterrupt):
            listed(path)
    assert not [name for name in blobs(path) if name.endswith(".jsonl")]
    keep = unpacking.Unpacking.keep
    with monkeypatch.context() as patch:
        patch.setattr(
            unpacking.Unpacking,
            "keep",
            lambda self, path, data: killed() if path == "deep/er/e.webp" else keep(self, path, data),
        )
        patch.setattr(
            "anidata.sources.archives.archive._listing_and_blob",
            lambda *_: (tmp_path / "work/blobs/y.jsonl", tmp_path / "work/blobs/y.tar"),
        )
        with pytest.raises(KeyboardInterrupt):
            listed(path)
    assert not [name for name in blobs(path) if name.startswith("y")]
    assert contents(path, listed(path)) == FILES


@pytest.mark.parametrize("kind", PACKED)
def test_a_full_disk_is_the_users_business_not_a_row(kind, tmp_path, monkeypatch):
    path = MAKERS[kind](tmp_path / kind, FILES)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(unpacking.TarWriter, "add", full)
    with pytest.raises(StorageError, match="No space left on device"):
        listed(path)
    assert blobs(path) == []


def test_an_archive_that_could_not_be_read_is_tried_again(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "x.zip", FILES)

    def failing(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("anidata.sources.archives.archive._read", failing)
        assert errors(listed(path)) == {"x.zip": "unreadable"}
    assert contents(path, listed(path)) == FILES


class TestRefused:
    @pytest.mark.parametrize("kind", ["x.zip", "stored.cbz", "x.tar", "x.tar.gz"])
    def test_names_that_lead_out_are_rows_and_never_written(self, kind, tmp_path):
        evil = [
            "../evil.png",
            "/evil.png",
            "a/../../evil.png",
            "C:\\evil.png",
            "c:evil.png",
            "..\\evil.png",
            "a\\..\\..\\evil.png",
            "\\\\host\\evil.png",
            "x" * 5000 + ".png",
        ]
        path = MAKERS[kind](
            tmp_path / kind,
            {**dict.fromkeys(evil, b"evil"), "./good//name.png": b"good", "a..b/c...png": b"good"},
        )
        records = listed(path)
        assert {name for name, error in errors(records).items() if error is None} == {
            "good/name.png",
            "a..b/c...png",
        }
        assert {record.error for record in records if record.at is None} == {"unsafe_name"}
        assert len(records) == len(evil) + 2
        assert not list(tmp_path.rglob("evil*"))

    def test_unsafe_names_in_a_7z_are_rows_too(self, tmp_path):
        path = make_7z(tmp_path / "x.7z", {"aa/evil.png": b"evil", "b.png": b"good"})
        data = path.read_bytes()
        path = make_7z_with_plain_header(tmp_path / "y.7z", {"aa/evil.png": b"evil", "b.png": b"good"})
        patched = path.read_bytes().replace("aa/".encode("utf-16le"), "../".encode("utf-16le"))
        path.write_bytes(with_right_checksums(patched))
        assert data != patched
        assert errors(listed(path)) == {"../evil.png": "unsafe_name", "b.png": None}

    def test_links_and_devices_in_a_tar(self, tmp_path):
        path = tmp_path / "x.tar"
        with tarfile.open(path, "w") as out:
            for name, kind in {
                "s.png": b"2",
                "h.png": b"1",
                "c.png": b"3",
                "b.png": b"4",
                "p.png": b"6",
                "dir": b"5",
                "odd": b"Z",
            }.items():
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, "/etc/passwd"
                out.addfile(info)
        assert errors(listed(path)) == {
            "s.png": "link",
            "h.png": "link",
            "c.png": "device",
            "b.png": "device",
            "p.png": "device",
            "odd": "device",
        }

    def test_links_and_devices_in_a_zip(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
            for name, mode in {
                "s.png": stat.S_IFLNK,
                "p.png": stat.S_IFIFO,
                "r.png": stat.S_IFREG,
                "d/": stat.S_IFDIR,
            }.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = (mode | 0o777) << 16
                out.writestr(info, b"/etc/passwd" if not name.endswith("/") else b"")
        assert errors(listed(tmp_path / "x.zip")) == {"s.png": "link", "p.png": "device", "r.png": None}

    def test_links_in_a_7z(self, tmp_path):
        (tmp_path / "to").symlink_to("/etc/passwd")
        with py7zr.SevenZipFile(tmp_path / "x.7z", "w") as out:
            out.write(tmp_path / "to", "s.png")
            out.writestr(b"good", "a.png")
        assert errors(listed(tmp_path / "x.7z")) == {"a.png": None, "s.png": "link"}

    def test_sparse_members_are_refused_and_what_follows_is_found(self, tmp_path):
        (tmp_path / "hole").touch()
        os.truncate(tmp_path / "hole", 10_000_000)
        for form in ("oldgnu", "posix"):
            code = os.system(
                f"cd {tmp_path} && echo hi > a.png && tar -c -S --format={form} -f {form}.tar hole a.png"
            )
            assert code == 0
            assert errors(listed(tmp_path / f"{form}.tar")) == {
                "a.png": None,
                next(n for n in errors(listed(tmp_path / f"{form}.tar")) if n != "a.png"): "corrupt",
            }

    def test_encrypted_members_of_a_zip(self, tmp_path):
        path = make_zip(tmp_path / "x.zip", {"a.png": b"secret", "b.png": b"open"})
        data = bytearray(path.read_bytes())
        for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            data[data.index(signature) + offset] |= 1
        path.write_bytes(data)
        assert errors(listed(path)) == {"a.png": "encrypted", "b.png": None}

    def test_an_encrypted_7z(self, tmp_path):
        make_7z(tmp_path / "x.7z", {"a.png": b"secret"}, password="x")
        assert errors(listed(tmp_path / "x.7z")) == {"a.png": "encrypted"}
        make_7z(tmp_path / "y.7z", {"a.png": b"secret"}, password="x", header_encryption=True)
        assert errors(listed(tmp_path / "y.7z")) == {"y.7z": "encrypted"}

    @pytest.mark.parametrize("kind", MAKERS)
    def test_members_above_the_limit_are_too_large_and_the_others_come(self, kind, tmp_path):
        path = MAKERS[kind](tmp_path / kind, FILES)
        assert errors(listed(path, max_bytes=60_000)) == {**dict.fromkeys(FILES), "b.png": "too_large"}
        assert all(
            size < 60_000 for size in map(len, contents(path, listed(path, max_bytes=60_000)).values())
        )


class TestNames:
    @pytest.mark.parametrize("kind", ["x.zip", "stored.cbz", "x.tar.gz", "x.tar"])
    def test_a_name_that_comes_twice_is_two_records(self, kind, tmp_path):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_, **__: None)
            path = MAKERS[kind](tmp_path / kind, {"a.png": b"1", "b.png": b"2", "A.png": b"3"})
            if kind.startswith("x.tar"):
                with tarfile.open(path, "w:gz" if kind.endswith("gz") else "w") as out:
                    for data in (b"1", b"2"):
                        info = tarfile.TarInfo("a.png")
                        info.size = 1
                        out.addfile(info, io.BytesIO(data))
            else:
                with zipfile.ZipFile(path, "w") as out:
                    out.writestr("a.png", b"1")
                    out.writestr("a.png", b"2")
        records = listed(path)
        assert [record.name for record in records] == ["a.png", "a.png#2"]
        assert [record.file for record in records] == ["a.png", "a.png"]
        assert [read(record.at, tmp_path / "work", 9) for record in records] == [b"1", b"2"]

    def test_a_name_that_comes_twice_in_a_7z(self, tmp_path):
        with py7zr.SevenZipFile(tmp_path / "x.7z", "w") as out:
            out.writestr(b"1", "a.png")
            out.writestr(b"2", "a.png")
            out.writestr(b"3", "a.png_0")
        assert contents(tmp_path / "x.7z", listed(tmp_path / "x.7z")) == {
            "a.png": b"1",
            "a.png#2": b"2",
            "a.png_0": b"3",
        }

    def test_names_without_the_flag_of_utf_8_keep_their_bytes(self, tmp_path):
        raw = "絵.png".encode("shift-jis")
        path = make_zip(tmp_path / "x.zip", {"X" * len(raw): b"1", "y.png": b"2"})
        path.write_bytes(path.read_bytes().replace(b"X" * len(raw), raw))
        assert [os.fsencode(decode(record.name)) for record in listed(path)] == [b"y.png", raw]

    def test_names_that_are_no_utf_8_in_a_tar(self, tmp_path):
        path = make_tar(tmp_path / "x.tar", {"\udcff\udcfe.png": b"1"}, form=tarfile.GNU_FORMAT)
        (record,) = listed(path)
        assert (record.name, record.file) == ("%FF%FE.png", "\ufffd\ufffd.png")

    @pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
    def test_long_names_in_a_tar(self, form, tmp_path):
        name = "/".join(["d" * 60] * (3 if form == tarfile.USTAR_FORMAT else 30)) + "/é.png"
        path = make_tar(tmp_path / "x.tar", {name: b"1", "z.png": b"2"}, form=form)
        assert contents(path, listed(path)) == {name: b"1", "z.png": b"2"}

    def test_hidden_members_and_litter_are_no_records(self, tmp_path):
        path = make_zip(
            tmp_path / "x.zip",
            {"__MACOSX/._a.png": b"", "a.png": b"", "s/Thumbs.db": b"", ".git/x.png": b"", "s/": b""},
        )
        assert list(errors(listed(path))) == ["a.png"]

    def test_nested_archives_are_members_like_others(self, tmp_path):
        inner = make_zip(tmp_path / "inner.zip", FILES).read_bytes()
        path = make_tar(tmp_path / "x.tar", {"inner.zip": inner})
        assert contents(path, listed(path)) == {"inner.zip": inner}

    @pytest.mark.parametrize("kind", MAKERS)
    def test_sidecars_metadata_and_true_lines_work_as_in_a_folder(self, kind, tmp_path):
        files = {
            "s/a_line.png": b"line",
            "s/a_color.png": b"color",
            "s/a_color.txt": b"red, blue",
            "s/b.png": b"",
            "s/t/c.png": b"",
            "metadata.csv": b"file_name,license\ns/b.png,far\ns/t/c.png,far\n",
            "s/metadata.jsonl": b'{"file_name": "b.png", "license": "near"}',
        }
        path = MAKERS[kind](tmp_path / kind, files)
        records = listed(path)
        for name, data in files.items():
            (tmp_path / "pile" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "pile" / name).write_bytes(data)
        beside = list(folder.records(str(tmp_path / "pile"), options(tmp_path)))
        assert [(r.name, r.tags, r.license, r.line is None) for r in records] == [
            (r.name, r.tags, r.license, r.line is None) for r in beside
        ]
        assert [read(record.line, tmp_path / "work", 9) for record in records if record.line] == [b"line"]
        assert {record.license for record in records} == {None, "near", "far"}


class TestBombs:
    ZEROS = bytes(30 << 20)

    @pytest.mark.parametrize("kind", PACKED)
    def test_what_unpacks_to_too_much_is_a_bomb_and_memory_stays_bounded(self, kind, tmp_path):
        if kind == "copy.7z":
            pytest.skip("doesn't pack")
        path = MAKERS[kind](tmp_path / kind, {"a.png": NOISE[:500], "zeros.png": self.ZEROS})
        assert path.stat().st_size < 200_000
        tracemalloc.start()
        records = listed(path, max_ratio=20)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert "bomb" in errors(records).values()
        assert errors(records)["a.png"] is None
        assert contents(path, records) == {"a.png": NOISE[:500]}
        assert peak < 20 << 20

    def test_a_member_that_says_it_is_small_is_read_no_further(self, tmp_path):
        path = make_zip(tmp_path / "x.zip", {"zeros.png": self.ZEROS})
        path.write_bytes(
            path.read_bytes().replace(struct.pack("<I", len(self.ZEROS)), struct.pack("<I", 1000))
        )
        tracemalloc.start()
        assert errors(listed(path)) == {"zeros.png": "corrupt"}
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
        tracemalloc.stop()

    def test_members_that_share_bytes_are_refused(self, tmp_path):
        path = make_zip(tmp_path / "x.zip", {"a.png": NOISE[:5000], "b.png": NOISE[:100]})
        data = path.read_bytes()
        begin = data.index(b"PK\1\2")
        entry = data[begin : data.index(b"PK\1\2", begin + 1)]
        end = bytearray(data[data.index(b"PK\5\6") :])
        directory = data[begin : data.index(b"PK\5\6")] + entry * 50
        struct.pack_into("<HHII", end, 8, 52, 52, len(directory), begin)
        path.write_bytes(data[:begin] + directory + end)
        codes = {record.name.rpartition("/")[2]: record.error for record in listed(path)}
        assert len(codes) == 52
        assert codes["b.png"] is None
        assert [*codes.values()].count(
            "bomb"
        ) >= 50  # Pythons that look for shared bytes themselves refuse the last of them too

    @pytest.mark.parametrize("kind", PACKED)
    def test_an_archive_may_not_unpack_to_more_than_its_limit(self, kind, tmp_path):
        path = MAKERS[kind](tmp_path / kind, {f"{i}.png": NOISE[:90_000] for i in range(4)})
        records = listed(path, max_unpacked=200_000)
        assert [record.error for record in records if record.error] in (["bomb"], ["bomb", "bomb"])
        assert 1 <= len(contents(path, records)) <= 2

    @pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
    @pytest.mark.parametrize("packed", [True, False])
    def test_a_huge_name_is_not_read(self, kind, packed, tmp_path):
        info = tarfile.TarInfo("long")
        info.type, info.size = kind, 1 << 33
        data = (
            make_tar(tmp_path / "a.tar", {"a.png": b"1"}).read_bytes()[:1024]
            + info.tobuf(tarfile.GNU_FORMAT)
            + bytes(1 << 20)
        )
        path = tmp_path / "x.tar"
        path.write_bytes(gzip.compress(data) if packed else data)
        tracemalloc.start()
        assert errors(listed(path)) == {"a.png": None, "x.tar": "corrupt"}
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
        tracemalloc.stop()

    def test_a_pax_header_of_digits_is_read_at_once(self, tmp_path):
        info = tarfile.TarInfo("pax")
        payload = b"1" * 60_000  # tarfile before 3.11.10 needs seconds for each: CVE-2024-6232
        info.type, info.size = b"x", len(payload)
        head = make_tar(tmp_path / "a.tar", {"a.png": b"1"}).read_bytes()[:1024]
        (tmp_path / "x.tar").write_bytes(head + info.tobuf() + payload + bytes(-len(payload) % 512) + head)
        assert errors(listed(tmp_path / "x.tar")) == {"a.png": None, "x.tar": "corrupt"}


class TestBroken:
    def test_a_member_with_a_wrong_checksum_is_corrupt_alone(self, tmp_path):
        for kind in ("x.zip", "stored.cbz", "bz2.zip", "lzma.zip", "copy.7z"):
            path = MAKERS[kind](
                tmp_path / kind, {"a.png": b"first", "b.png": NOISE[:9000], "c.png": b"third"}
            )
            data = bytearray(path.read_bytes())
            offset = (
                data.index(NOISE[100:200])
                if kind in ("stored.cbz", "copy.7z", "x.zip")
                else data.index(b"b.png") + 3000
            )
            data[offset + 50] ^= 0xFF
            path.write_bytes(data)
            codes = errors(listed(path))
            assert (codes["a.png"], codes["b.png"]) == (None, "corrupt"), kind
            assert codes["c.png"] == ("corrupt" if kind == "copy.7z" else None), (
                kind
            )  # a 7z's block is broken from there on

    def test_an_unknown_method_is_corrupt(self, tmp_path):
        path = make_zip(tmp_path / "x.zip", {"a.png": b"1", "b.png": b"2"})
        data = bytearray(path.read_bytes())
        for signature, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
            data[data.index(signature) + offset] = 99
        path.write_bytes(data)
        assert errors(listed(path)) == {"a.png": "corrupt", "b.png": None}

    @pytest.mark.parametrize(
        "kind", ["x.tar", "gnu.tar", "x.tar.gz", "x.tar.bz2", "x.tar.xz", "x.zip", "stored.cbz"]
    )
    def test_a_cut_archive_keeps_the_members_before_the_break_and_says_so(self, kind, tmp_path):
        files = {f"{i}.png": NOISE[i * 30_000 : i * 30_000 + 30_000] for i in range(9)}
        path = MAKERS[kind](tmp_path / kind, files)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
        records = listed(path)
        kept = contents(path, records)
        assert kept.items() <= files.items()
        assert len(kept) >= (0 if "bz2" in kind else 4)  # one block of bzip2 holds them all
        assert {name: error for name, error in errors(records).items() if error} == {kind: "truncated"}
        assert len(records) == len(kept) + 1

    def test_a_cut_zip_that_was_streamed_keeps_the_members_before_the_break(self, tmp_path):
        class Pipe(io.RawIOBase):
            def __init__(self):
                self.data = bytearray()

            def writable(self):
                return True

            def write(self, data):
                self.data += bytes(data)
                return len(data)

        pipe = Pipe()
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as out:
            for i in range(5):
                out.writestr(f"{i}.png", NOISE[i * 20_000 : i * 20_000 + 20_000])
        path = tmp_path / "x.zip"
        path.write_bytes(pipe.data[:75_000])
        records = listed(path)
        assert errors(records) == {"0.png": None, "1.png": None, "2.png": None, "x.zip": "truncated"}
        assert contents(path, records)["2.png"] == NOISE[40_000:60_000]

    @pytest.mark.parametrize("kind", ["x.tar", "gnu.tar", "x.tar.gz"])
    def test_a_tar_s_header_lost_to_zeros_does_not_hide_the_rest_in_silence(self, kind, tmp_path):
        data = bytearray(
            make_tar(tmp_path / kind, {"a.png": b"1", "b.png": b"2", "c.png": b"3"}).read_bytes()
        )
        data[1024:1536] = bytes(512)  # the second header
        (tmp_path / kind).write_bytes(gzip.compress(data) if kind.endswith("gz") else data)
        assert errors(listed(tmp_path / kind)) == {"a.png": None, kind: "corrupt"}

    @pytest.mark.parametrize("kind", ["x.tar", "x.tar.gz"])
    @pytest.mark.parametrize("mark", [0, 100, 512])
    def test_a_tar_without_its_end_mark_is_whole(self, kind, mark, tmp_path):
        data = make_tar(tmp_path / "a.tar", {"a.png": b"1", "b.png": b"2"}).read_bytes()[: 2048 + mark]
        (tmp_path / kind).write_bytes(gzip.compress(data) if kind.endswith("gz") else data)
        assert errors(listed(tmp_path / kind)) == {"a.png": None, "b.png": None}

    def test_a_member_may_have_the_name_of_its_broken_archive(self, tmp_path):
        path = make_tar(tmp_path / "x.tar", {"x.tar": b"1", "y.png": NOISE})
        path.write_bytes(path.read_bytes()[:5000])
        assert errors(listed(path)) == {"x.tar": None, "x.tar#2": "truncated"}

    def test_a_7z_cut_at_its_end_is_one_row(self, tmp_path):
        path = make_7z(tmp_path / "x.7z", FILES)
        path.write_bytes(path.read_bytes()[:-40])
        assert errors(listed(path)) == {"x.7z": "truncated"}

    def test_a_name_that_lies_about_being_utf_8_does_not_hide_the_others(self, tmp_path):
        path = make_zip(tmp_path / "x.zip", {"a.png": b"1", "ß.png": b"2"})
        path.write_bytes(path.read_bytes().replace("ß".encode(), b"\xff\xfe"))
        codes = errors(listed(path))
        assert codes.pop("x.zip") == "corrupt"
        assert codes == {"a.png": None, os.fsdecode(b"\xff\xfe.png"): None}

    def test_an_offset_before_the_beginning_is_corrupt_not_unreadable(self, tmp_path):
        path = make_zip(tmp_path / "x.zip", {"a.png": b"1", "b.png": b"2"})
        data = bytearray(path.read_bytes())
        struct.pack_into("<I", data, data.index(b"PK\5\6") + 16, 1 << 30)  # where the directory begins
        path.write_bytes(data)
        assert errors(listed(path)) == {"a.png": None, "b.png": None, "x.zip": "corrupt"}

    def test_bytes_before_a_zip_do_not_matter(self, tmp_path):
        path = make_zip(tmp_path / "x.zip", FILES, zipfile.ZIP_STORED)
        with zipfile.ZipFile(path, "a") as out:
            out.comment = b"hello"
        assert contents(path, listed(path)) == FILES

    def test_an_empty_archive_has_no_records(self, tmp_path):
        assert listed(make_zip(tmp_path / "x.zip", {})) == []
        assert listed(make_tar(tmp_path / "x.tgz", {"d/": b""}, "w:gz")) == []

    @pytest.mark.parametrize("kind", MAKERS)
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def test_no_damage_makes_more_of_an_archive_than_rows(self, kind, tmp_path_factory, data):
        whole, base = bytearray(example(kind, tmp_path_factory)), tmp_path_factory.mktemp("damaged")
        for _ in range(data.draw(st.integers(1, 8))):
            offset = data.draw(st.integers(0, len(whole) - 1) | st.integers(-400, -1) | st.integers(6, 600))
            whole[offset] = data.draw(st.integers(0, 255))
        path = base / kind
        path.write_bytes(whole[: data.draw(st.just(len(whole)) | st.integers(0, len(whole)))])
        try:
            records = listed(path)
        except SourceError:
            return
        assert sum(len(content) for content in contents(path, records).values()) < 1 << 20


_EXAMPLES: dict[str, bytes] = {}


def example(kind: str, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    if kind not in _EXAMPLES:
        _EXAMPLES[kind] = MAKERS[kind](tmp_path_factory.mktemp("whole") / kind, FILES).read_bytes()
    return _EXAMPLES[kind]


def make_7z_with_plain_header(path: Path, files: Files) -> Path:
    with py7zr.SevenZipFile(path, "w") as out:
        out.set_encoded_header_mode(False)
        for name, data in files.items():
            out.writestr(data, name)
    return path


def with_right_checksums(data: bytes) -> bytes:
    """A 7z whose header has been edited, its checksums put right."""
    offset, size, _ = struct.unpack("<QQI", data[12:32])
    start = data[12:28] + struct.pack("<I", zlib.crc32(data[32 + offset : 32 + offset + size]))
    return data[:8] + struct.pack("<I", zlib.crc32(start)) + start + data[32:]
