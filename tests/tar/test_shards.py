"""Our tars are read by everyone, and theirs by us."""

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anidata.tar.writer import BLOCK, Member, TarWriter, header, index_text, members, split_name

SAMPLES = [
    ("0a.color.jpg", b"jpeg" * 300),
    ("0a.json", b"{}"),
    ("0a.lineart.png", b""),
    ("1b.color.jpg", b"x" * 512),
    ("1b.json", b"{ }"),
]
AWKWARD = [
    ("x" * 100, b"a"),
    ("x" * 101, b"b"),
    ("folder/" * 40 + "deep.png", b"c"),
    ("жü漫画.png", b"d"),
    ("a b\nc.png", b"e"),
    (os.fsdecode(b"no\xffutf8.png"), b"f"),
    ("-rf.png", b"g"),
]
GNU = (
    b"GNU tar" in subprocess.run(["tar", "--version"], capture_output=True, check=False).stdout
    if shutil.which("tar")
    else False
)
names = st.binary(min_size=1, max_size=160).filter(lambda b: not set(b) & {0, ord("/")}).map(os.fsdecode)
contents = st.lists(st.tuples(names, st.binary(max_size=1200)), max_size=6)


def written(files: list[tuple[str, bytes]]) -> tuple[bytes, list[Member]]:
    file = io.BytesIO()
    tar = TarWriter(file)
    members = [tar.add(name, data) for name, data in files]
    assert tar.close() == len(file.getvalue())
    return file.getvalue(), members


def listed(data: bytes) -> list[Member]:
    return list(members(io.BytesIO(data)))


# --- writing ------------------------------------------------------------------------------------------------


@given(contents)
def test_what_is_written_is_read_by_python(files):
    with tarfile.open(fileobj=io.BytesIO(written(files)[0])) as tar:
        assert [(m.name, tar.extractfile(m).read()) for m in tar] == files


@given(contents)
def test_what_is_written_lies_where_the_writer_said(files):
    data, members = written(files)
    assert [(m.name, data[m.offset : m.offset + m.size]) for m in members] == files
    assert listed(data) == members


@pytest.mark.parametrize("files", [SAMPLES, AWKWARD], ids=["samples", "awkward"])
def test_members_have_no_owner_no_date_and_plain_rights(files):
    with tarfile.open(fileobj=io.BytesIO(written(files)[0])) as tar:
        for member in tar:
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode) == (
                0,
                0,
                0,
                "",
                "",
                0o644,
            )
            assert member.isreg()


@pytest.mark.skipif(not GNU, reason="no GNU tar on this machine")
def test_gnu_tar_lists_and_unpacks_the_same(tmp_path):
    files = [
        f for f in [*SAMPLES, *AWKWARD] if f[0].isprintable() or "\n" in f[0]
    ]  # what is no UTF-8 it reads with a warning
    (tmp_path / "a.tar").write_bytes(written(files)[0])
    listing = _gnu_tar("tvf", "a.tar", "--full-time", "--quoting-style=escape", cwd=tmp_path)
    lines = [line.split(maxsplit=5) for line in listing.splitlines()]
    assert [(rights, size, day, time) for rights, _, size, day, time, _ in lines] == [
        ("-rw-r--r--", str(len(data)), "1970-01-01", "00:00:00") for _, data in files
    ]
    assert [name for *_, name in lines][: len(SAMPLES)] == [name for name, _ in SAMPLES]
    (tmp_path / "out").mkdir()
    _gnu_tar("xf", "../a.tar", cwd=tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_bytes() for name, _ in files} == dict(files)


def _gnu_tar(*words: str, cwd: Path) -> str:
    done = subprocess.run(
        ["tar", *words],
        cwd=cwd,
        capture_output=True,
        check=True,
        env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
    )
    assert done.stderr == b""
    return done.stdout.decode()


def test_the_same_members_give_the_same_bytes_and_no_ceremony():
    data, _ = written(SAMPLES)
    assert data == written(SAMPLES)[0]
    padded = [-(-len(content) // BLOCK) * BLOCK for _, content in SAMPLES]
    assert (
        len(data) == sum(padded) + BLOCK * len(SAMPLES) + 2 * BLOCK
    )  # a header each, no pax, and the end mark
    assert data[257:263] == b"ustar\0"


def test_a_tar_without_members_is_read_by_all():
    data, _ = written([])
    assert listed(data) == []
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getmembers() == []


# --- reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_regular_files_of_any_tar_are_found_where_python_finds_them(form):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for name, data in [*SAMPLES, ("x" * 99, b"long"), ("ü.png", b"umlaut")]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
            for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
                other = tarfile.TarInfo(f"{kind!r}")
                other.type, other.linkname = kind, "0a.json"
                tar.addfile(other)
    with tarfile.open(fileobj=io.BytesIO(file.getvalue())) as tar:
        expected = [Member(m.name, m.offset_data, m.size) for m in tar if m.isreg()]
    assert listed(file.getvalue()) == expected
    assert len(expected) == len(SAMPLES) + 2


@given(st.data())
def test_a_tar_cut_anywhere_before_its_end_mark_is_refused(data):
    whole, _ = written(SAMPLES)
    cut = data.draw(st.integers(0, len(whole) - BLOCK - 1))
    with pytest.raises(tarfile.TarError):
        listed(whole[:cut])


def test_a_tar_cut_behind_a_member_is_refused():
    whole, members = written(SAMPLES)
    end = members[1].offset + BLOCK
    with pytest.raises(tarfile.TarError, match="cut short: the end mark is missing"):
        listed(whole[:end])


def test_a_damaged_header_is_not_taken_for_the_end():
    whole, members = written(SAMPLES)
    spoiled = bytearray(whole)
    spoiled[members[2].offset - BLOCK] ^= 1
    with pytest.raises(tarfile.TarError, match=f"at byte {members[2].offset - BLOCK:,}"):
        listed(bytes(spoiled))


@pytest.mark.parametrize("data", [b"", b"x" * 10, b"x" * 4000, b"\x89PNG" + bytes(4000)])
def test_what_is_no_tar_is_refused(data):
    with pytest.raises(tarfile.TarError):
        listed(data)


# --- names and index ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parted"),
    [
        ("0a.lineart.xdog.png", ("0a", "lineart.xdog.png")),
        ("a.b/0a.color.jpg", ("a.b/0a", "color.jpg")),
        ("README", ("README", "")),
        ("a/.hidden", ("a/", "hidden")),
    ],
)
def test_a_name_is_parted_at_the_first_dot_of_its_last_component(name, parted):
    assert split_name(name) == parted


def test_names_are_parted_as_webdataset_does():
    base_plus_ext = pytest.importorskip("webdataset.tariterators").base_plus_ext
    for name in ("0a.lineart.xdog.png", "a.b/0a.color.jpg", "0a.json", "a/b/c.d.e"):
        assert split_name(name) == base_plus_ext(name)


def test_the_index_is_what_dali_documents():
    """Version and number of samples, then extension, offset, size, name.

    Source: https://docs.nvidia.com/deeplearning/dali, `readers.webdataset`
    """
    data, _ = written(SAMPLES)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        a, b, c, d, e = (m.offset_data for m in tar)
    assert index_text(listed(data)) == (
        "v1.2 2\n"
        f"color.jpg {a} 1200 0a.color.jpg json {b} 2 0a.json lineart.png {c} 0 0a.lineart.png\n"
        f"color.jpg {d} 512 1b.color.jpg json {e} 3 1b.json\n"
    )


def test_hidden_files_are_left_out_of_the_index():
    members = [Member(".DS_Store", 512, 3), Member("a/._0.png", 1536, 3), Member("a/0.png", 2560, 3)]
    assert index_text(members) == "v1.2 1\npng 2560 3 a/0.png\n"


def test_the_index_of_nothing_has_no_samples():
    assert index_text([]) == "v1.2 0\n"


@given(st.text(min_size=1, max_size=120).filter(lambda name: "\0" not in name), st.integers(0, 8**11 + 5))
def test_a_header_is_that_of_the_standard_library(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    try:
        expected = info.tobuf(tarfile.PAX_FORMAT)
    except UnicodeEncodeError:
        return
    assert header(name, size) == expected
