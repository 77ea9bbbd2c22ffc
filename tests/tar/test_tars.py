"""Tars of all kinds, whole and hurt: members lie where Python's tarfile and GNU tar find them.

No damage passes in silence.
"""

import io
import os
import shutil
import subprocess
import tarfile
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.tar import reader, writer
from anidata.tar.reader import BLOCK, HEADER_LIMIT, BadTar, Header, Unended, headers

GNU = (
    bool(shutil.which("tar"))
    and b"GNU tar" in subprocess.run(["tar", "--version"], capture_output=True, check=False).stdout
)
needs_gnu = pytest.mark.skipif(not GNU, reason="no GNU tar on this machine")
FORMS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.LNKTYPE: "link",
    tarfile.SYMTYPE: "link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "device",
}
FILES = [("a.png", b"x" * 700), ("b.png", b""), ("c.png", b"y" * 512), ("d.png", b"z")]
LONG_NAME = "folder/" * 40 + "é.png"


def member(name="m.png", data=b"", code=tarfile.REGTYPE, size=None, form=tarfile.GNU_FORMAT, **fields):
    """A header with its bytes, whatever it says of its size. fields: `link`, `pax`."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = code, len(data) if size is None else size, fields.get("link", "")
    info.pax_headers = fields.get("pax", {})
    return info.tobuf(form, "utf-8", "surrogateescape") + data + bytes(-len(data) % BLOCK)


def with_field(header, offset, value):
    """A header block with other bytes at `place`, and the right checksum."""
    block = bytearray(header)
    block[offset : offset + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:BLOCK])
    return bytes(block)


def record(key, value):
    """A record of a pax header."""
    size = len(key) + len(value) + 3
    while len(str(size)) + len(key) + len(value) + 3 != size:
        size = len(str(size)) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (size, key, value)


END = bytes(2 * BLOCK)
PLAIN = b"".join(member(name, data) for name, data in FILES)
STARTS = [0, 3 * BLOCK, 4 * BLOCK, 6 * BLOCK, 8 * BLOCK]  # of the headers in PLAIN, and its end


class Forward:
    """A stream: no way back, and it counts what is read."""

    def __init__(self, data):
        self._file, self.read_bytes = io.BytesIO(data), 0

    def read(self, size):
        data = self._file.read(size)
        self.read_bytes += len(data)
        return data

    def seek(self, offset):
        assert offset >= self._file.tell()
        return self._file.seek(offset)


def listed(data):
    """The same from a file and from a stream."""
    members = list(headers(io.BytesIO(data), len(data)))
    assert list(headers(Forward(data))) == members
    return members


def until(data):
    """The members before the break, and the break."""
    members = []
    with pytest.raises(BadTar) as raised:
        members.extend(headers(io.BytesIO(data), len(data)))
    return members, raised.value


def by_tarfile(data):
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8") as tar:
        return [
            Header(
                os.fsencode(m.name), KINDS.get(m.type, "device"), m.offset_data, m.size if m.isreg() else 0
            )
            for m in tar
        ]


# --- whole tars ---------------------------------------------------------------------------------------------

names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=150).filter(
    lambda name: name.strip(".")
)
lots = st.lists(st.tuples(names, st.sampled_from(list(KINDS)), st.binary(max_size=1100)), max_size=8)


@settings(deadline=None)
@given(lots, st.sampled_from(FORMS[1:]))
def test_all_kinds_of_members_are_found_where_tarfile_finds_them(lot, form):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form, encoding="utf-8") as tar:
        for name, code, data in lot:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = code, "to" * 60
            info.size = len(data) if KINDS[code] == "file" else 0
            tar.addfile(info, io.BytesIO(data))
    assert listed(file.getvalue()) == by_tarfile(file.getvalue())


@pytest.mark.parametrize("form", FORMS)
def test_long_names_are_read_whole(form):
    name = LONG_NAME if form != tarfile.USTAR_FORMAT else LONG_NAME[-200:].lstrip("/")
    data = member(name, b"1", form=form) + member("z.png", b"2") + END
    assert [header.name for header in listed(data)] == [name.encode(), b"z.png"]
    assert listed(data) == by_tarfile(data)


@pytest.mark.parametrize("code", [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("pax", [{}, {"size": "900"}])
def test_links_and_folders_have_no_bytes_whatever_they_say(code, pax):
    data = member("d", code=code, size=900, form=tarfile.PAX_FORMAT, pax=pax) + member("a.png", b"1") + END
    assert [(h.kind, h.size) for h in listed(data)] == [(KINDS[code], 0), ("file", 1)]
    assert listed(data)[1] == by_tarfile(data)[1]


@pytest.mark.parametrize("code", [b"Z", b"V", b"M", b"7"])
def test_members_of_unknown_types_are_skipped_with_their_bytes(code):
    data = member("odd", b"8" * 800, code) + member("a.png", b"1") + END
    assert [(h.name, h.offset) for h in listed(data)] == [(m.name, m.offset) for m in by_tarfile(data)]


def test_the_first_of_several_names_counts_as_in_tarfile():
    longs = b"".join(
        member("././@LongLink", name + b"\0", tarfile.GNUTYPE_LONGNAME) for name in (b"one", b"two")
    )
    data = longs + member("three", b"3") + END
    assert listed(data) == by_tarfile(data)
    assert listed(data)[0].name == b"one"


def test_a_name_counts_for_one_member():
    data = member(LONG_NAME, b"1") + member("a.png", b"2") + END
    assert listed(data)[1].name == b"a.png"


def test_a_comment_for_all_members_as_git_writes_it_does_not_matter():
    comment = member("pax_global_header", record(b"comment", b"c0ffee" * 7), tarfile.XGLTYPE)
    assert [h.name for h in listed(comment + PLAIN + END)] == [name.encode() for name, _ in FILES]
    assert listed(comment + END) == []  # an empty commit's


@pytest.mark.parametrize("key", [b"path", b"size", b"GNU.sparse.major"])
def test_what_would_name_or_size_all_members_alike_is_refused(key):
    assert until(member("pax", record(key, b"1"), tarfile.XGLTYPE) + PLAIN + END)[0] == []


@needs_gnu
class TestGnuTar:
    @pytest.fixture
    def tree(self, tmp_path):
        deep = tmp_path / "tree" / ("d" * 90) / ("e" * 90)
        deep.mkdir(parents=True)
        (tmp_path / "tree" / "a.png").write_bytes(b"x" * 700)
        (tmp_path / "tree" / "ü.png").write_bytes(b"")
        (deep / ("f" * 120 + ".png")).write_bytes(b"deep")
        (tmp_path / "tree" / "s.png").symlink_to("t" * 120)
        os.link(tmp_path / "tree" / "a.png", tmp_path / "tree" / "z.png")
        os.mkfifo(tmp_path / "tree" / "p")
        return tmp_path

    def made(self, folder, *options):
        subprocess.run(
            ["tar", "-c", "-f", "x.tar", *options], cwd=folder, check=True, env={**os.environ, "LC_ALL": "C"}
        )
        return (folder / "x.tar").read_bytes()

    @pytest.mark.parametrize("form", ["gnu", "oldgnu", "posix", "ustar", "v7"])
    def test_what_gnu_tar_packed_is_found(self, tree, form):
        short = form in ("ustar", "v7")  # these have no room for the long names
        without = ["--exclude=dd*", "--exclude=s.png", "--exclude=p"] if short else []
        data = self.made(tree, f"--format={form}", "--sort=name", *without, "tree")
        assert listed(data) == by_tarfile(data)
        files = {
            os.fsdecode(h.name): data[h.offset : h.offset + h.size] for h in listed(data) if h.kind == "file"
        }
        assert len(files) == (2 if short else 3)
        assert all((tree / name).read_bytes() == content for name, content in files.items())

    @pytest.mark.parametrize(
        "form", [["gnu"], ["oldgnu"], ["posix", "0.0"], ["posix", "0.1"], ["posix", "1.0"]]
    )
    def test_sparse_files_are_told_apart_and_what_follows_is_found(self, tmp_path, form):
        with open(tmp_path / "hole.png", "wb") as file:
            for offset in range(
                0, 60 << 16, 1 << 16
            ):  # more pieces than the header of the old form has room for
                file.seek(offset)
                file.write(b"data")
            file.truncate(1 << 23)
        (tmp_path / "a.png").write_bytes(b"hi")
        version = [f"--sparse-version={form[1]}"] if form[1:] else []
        data = self.made(tmp_path, "-S", f"--format={form[0]}", *version, "hole.png", "a.png")
        hole, file = listed(data)
        assert (hole.kind, file.kind) == ("sparse", "file")
        assert (hole.name, data[file.offset : file.offset + file.size]) == (b"hole.png", b"hi")
        assert file == by_tarfile(data)[1]
        with pytest.raises(BadTar, match="a sparse file at byte"):
            list(writer.members(io.BytesIO(data)))

    def test_dates_in_place_of_a_name_s_front_are_no_name(self, tmp_path):
        """tarfile takes them for one, GNU tar's own listing doesn't."""
        (tmp_path / "d").mkdir()
        (tmp_path / "d/a.png").write_bytes(b"1")
        data = self.made(tmp_path, "--format=gnu", "--listed-incremental=seen", "d")
        listing = subprocess.run(
            ["tar", "tf", "x.tar"], cwd=tmp_path, check=True, capture_output=True
        ).stdout.split()
        assert [header.name.rstrip(b"/") for header in listed(data)] == [
            name.rstrip(b"/") for name in listing
        ]

    @pytest.mark.parametrize("cut", [100, 511, 600, 1200, 2700])
    def test_what_gnu_tar_calls_broken_is_broken(self, tmp_path, cut):
        (tmp_path / "x.tar").write_bytes((PLAIN + END)[:cut])
        assert subprocess.run(
            ["tar", "tf", "x.tar"], cwd=tmp_path, check=False, capture_output=True
        ).returncode
        assert not isinstance(until((PLAIN + END)[:cut])[1], Unended)

    def test_what_gnu_tar_bears_with_only_lacks_the_end_mark(self, tmp_path):
        (tmp_path / "x.tar").write_bytes(PLAIN)
        assert (
            subprocess.run(["tar", "tf", "x.tar"], cwd=tmp_path, check=False, capture_output=True).returncode
            == 0
        )
        assert isinstance(until(PLAIN)[1], Unended)


# --- sizes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS[1:])
def test_members_beyond_eight_gigabytes_are_skipped(form, tmp_path):
    """GNU writes their size to base 256, pax in a header of its own."""
    size = (9 << 30) + 1
    head = member("big.bin", size=size, form=form)
    with open(tmp_path / "x.tar", "wb") as file:  # a hole on the disk
        file.write(head)
        file.seek(len(head) + size + -size % BLOCK)
        file.write(member("a.png", b"1") + END)
    with open(tmp_path / "x.tar", "rb") as file:
        members = list(headers(file, (tmp_path / "x.tar").stat().st_size))
    with tarfile.open(tmp_path / "x.tar") as tar:
        assert [(h.name.decode(), h.offset, h.size) for h in members] == [
            (m.name, m.offset_data, m.size) for m in tar
        ]
    assert members[0].size == size


@pytest.mark.parametrize(
    "field",
    [b"\xff" * 12, b"\xff" * 10 + b"\xfc\0", b"\xff" + bytes(11), b"-0000000777\0", b"        -1 \0"],
    ids=["-1", "-1024", "far", "octal", "spaced"],
)
@pytest.mark.parametrize(
    "code", [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE]
)
def test_a_negative_size_is_corrupt(field, code):
    members, bad = until(
        member("a.png", b"1") + with_field(member("b.png", code=code), 124, field) + PLAIN + END
    )
    assert [header.name for header in members] == [b"a.png"]
    assert (bad.code, str(bad)) == ("corrupt", "damaged at byte 1,024: a negative size")


@pytest.mark.parametrize(
    "field", [b"\x80" + b"\xff" * 11, b"\x80" + bytes(3) + b"\x7f" + b"\xff" * 7, b"77777777777\0"]
)
def test_a_size_beyond_the_end_is_truncated(field):
    data = with_field(member("b.png"), 124, field) + PLAIN + END
    assert until(data)[1].code == "truncated"


@pytest.mark.parametrize("value", [b"-1", b"1e3", b"0x10", b" 1", b"9" * 19, "٣".encode()])
def test_a_size_in_a_pax_header_that_is_no_number_is_corrupt(value):
    members, bad = until(member("pax", record(b"size", value), tarfile.XHDTYPE) + PLAIN + END)
    assert (members, bad.code) == ([], "corrupt")


# --- names and pax headers that cost too much ---------------------------------------------------------------


@pytest.mark.parametrize("code", [*reader.LONG])
@pytest.mark.parametrize("size", [HEADER_LIMIT + 1, 1 << 33, 1 << 80])
def test_a_huge_name_or_pax_header_is_not_read(code, size):
    file = Forward(member("a.png", b"1") + member("long", code=code, size=size) + bytes(HEADER_LIMIT + 4096))
    with pytest.raises(BadTar, match="a name or pax header of") as raised:
        list(headers(file))
    assert raised.value.code == "corrupt"
    assert file.read_bytes < 8 * BLOCK


def test_a_pax_header_within_the_limit_is_read():
    payload = record(b"SCHILY.xattr.user.icon", b"i" * (HEADER_LIMIT - 200)) + record(b"path", b"b.png")
    assert len(payload) <= HEADER_LIMIT
    assert listed(member("pax", payload, tarfile.XHDTYPE) + member("a.png", b"1") + END)[0].name == b"b.png"


@pytest.mark.parametrize(
    "payload",
    [
        b"1" * 60_000,  # tarfile before 3.11.10 needs seconds for it: CVE-2024-6232
        b"7 a=b\n" * 50,
        b"0 a=b\n",
        b"6 a=b",
        b"6 a=bc",
        b"99 a=b\n",
        b"6 ab\n\n",
        b"99999999999999999999 a=b\n",
        b"-6 a=b\n",
        b"\xff" * 512,
    ],
)
@pytest.mark.parametrize("code", reader.PAX)
def test_a_pax_header_that_makes_no_sense_is_corrupt(payload, code):
    members, bad = until(member("pax", payload, code) + PLAIN + END)
    assert (members, str(bad)) == ([], "a pax header that can't be read")


def test_zeros_behind_the_records_of_a_pax_header_do_not_matter():
    payload = record(b"path", b"b.png") + bytes(99)
    assert listed(member("pax", payload, tarfile.XHDTYPE) + member("a.png", b"1") + END)[0].name == b"b.png"


def test_pax_headers_do_not_pile_up_in_memory():
    data = (
        b"".join(
            member("pax", record(b"k%d" % n, b"v" * 900) + record(b"GNU.sparse.%d" % n, b""), b"x")
            for n in range(4000)
        )
        + PLAIN
        + END
    )
    tracemalloc.start()
    first = next(headers(io.BytesIO(data)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert first.kind == "sparse"
    assert peak < len(data) + (1 << 20)


# --- damage -------------------------------------------------------------------------------------------------


@given(st.integers(0, len(FILES) - 1), st.integers(0, 344), st.integers(0, 6))
def test_a_damaged_header_is_not_taken_for_the_end(number, offset, bit):
    """A flipped bit in any field, the checksum's own padding aside."""
    hurt = bytearray(PLAIN + END)
    hurt[STARTS[number] + (offset if offset not in (154, 155) else 0)] ^= 1 << bit
    members, bad = until(bytes(hurt))
    assert members == listed(PLAIN + END)[:number]
    assert (bad.code, f"at byte {STARTS[number]:,}:" in str(bad)) == ("corrupt", True)


@pytest.mark.parametrize("number", range(len(FILES)))
def test_a_header_lost_to_zeros_is_not_taken_for_the_end(number):
    """As in a download that never got this block. tarfile ends there in silence."""
    data = (PLAIN + END)[: STARTS[number]] + bytes(BLOCK) + (PLAIN + END)[STARTS[number] + BLOCK :]
    members, bad = until(data)
    assert members == listed(PLAIN + END)[:number]
    assert str(bad) == f"damaged at byte {STARTS[number]:,}: zeros where a header should be"


@given(st.integers(0, len(PLAIN) + len(END) - 1))
def test_a_tar_cut_anywhere_gives_the_members_before_and_says_so(cut):
    members, bad = until((PLAIN + END)[:cut])
    assert bad.code == "truncated"
    assert members == [
        h for h in listed(PLAIN + END) if h.offset + h.size <= cut and (h.size or cut >= h.offset)
    ]
    padding = any(h.offset + h.size <= cut <= -(-(h.offset + h.size) // BLOCK) * BLOCK for h in members[-1:])
    assert isinstance(bad, Unended) == (padding or cut == 0 or cut >= STARTS[-1])


def test_a_missing_end_mark_is_told_apart_from_other_damage():
    assert str(until(PLAIN)[1]) == "cut short: the end mark is missing"
    assert str(until(PLAIN + bytes(BLOCK))[1]) == "cut short: half of the end mark is missing"
    assert isinstance(until(b"")[1], Unended)
    assert not isinstance(until(PLAIN + b"x")[1], Unended)


@pytest.mark.parametrize(
    "promise",
    [
        member("long", b"name\0", b"L"),
        member("long", b"name\0", b"K"),
        member("pax", record(b"mtime", b"1"), b"x"),
    ],
)
@pytest.mark.parametrize(("rest", "code"), [(b"", "truncated"), (END, "corrupt"), (bytes(BLOCK), "corrupt")])
def test_a_header_that_speaks_of_a_member_wants_one(promise, rest, code):
    members, bad = until(PLAIN + promise + rest)
    assert (len(members), bad.code, isinstance(bad, Unended)) == (len(FILES), code, False)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_bytes_make_more_of_a_tar_than_members_and_a_bad_tar(data):
    whole = bytearray(
        member(LONG_NAME, b"1")
        + member("s", b"2" * 600, b"S")
        + member(LONG_NAME, b"3", form=tarfile.PAX_FORMAT)
        + PLAIN
        + END
    )
    for _ in range(data.draw(st.integers(0, 3))):  # of fields, with the right checksum
        start = data.draw(st.integers(0, len(whole) // BLOCK - 1)) * BLOCK
        field = data.draw(st.binary(min_size=1, max_size=12))
        whole[start : start + BLOCK] = with_field(
            whole[start : start + BLOCK], data.draw(st.sampled_from([0, 124, 156, 257, 345, 482])), field
        )
    end = 0
    with suppress(BadTar):
        for header in headers(io.BytesIO(whole), len(whole)):
            assert end + BLOCK <= header.offset <= header.offset + header.size <= len(whole)
            end = header.offset + header.size
