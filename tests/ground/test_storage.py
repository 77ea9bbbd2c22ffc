"""Files appear whole or not at all, and every name leads back to its bytes."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anidata import storage
from anidata.errors import BadImage, SourceError, StorageError
from anidata.storage import Reference

NOWHERE = Path("/nowhere")
names = st.binary(min_size=1, max_size=60).filter(lambda b: b"\0" not in b)
components = names.filter(lambda b: b"/" not in b and b not in (b".", b".."))


def left_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def _break_off(path: Path, error: type[BaseException]) -> None:
    with storage.publishing(path) as file:
        file.write(b"half")
        raise error


# --- publishing -----------------------------------------------------------------------------------


def test_a_published_file_is_there_whole_and_alone(tmp_path):
    with storage.publishing(tmp_path / "a" / "b.bin") as file:
        file.write(b"one")
        assert not (tmp_path / "a/b.bin").exists()
        file.write(b"two")
    assert (tmp_path / "a/b.bin").read_bytes() == b"onetwo"
    assert left_in(tmp_path / "a") == ["b.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_in_the_block_leaves_neither_file_nor_leftover(tmp_path, error):
    with pytest.raises((error, StorageError)):
        _break_off(tmp_path / "a.bin", error)
    assert left_in(tmp_path) == []


def test_an_error_in_the_block_leaves_the_earlier_file_as_it_was(tmp_path):
    storage.publish(tmp_path / "a.bin", b"before")
    with pytest.raises(ZeroDivisionError):
        _break_off(tmp_path / "a.bin", ZeroDivisionError)
    assert (tmp_path / "a.bin").read_bytes() == b"before"
    assert left_in(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("size", [2_000, 2_000_000])
def test_a_full_disk_is_a_storage_error_and_leaves_no_file(tmp_path, size):
    program = f"""
import resource
from pathlib import Path
from anidata import storage
from anidata.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    storage.publish(Path("full.bin"), b"x" * {size})
except StorageError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        f"full.bin: can't be written ({os.strerror(errno.EFBIG)}). "
        "Make room or give write access, then run the same command again.\n"
    )
    assert left_in(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="can't be written"):
        storage.publish(tmp_path / "file" / "a.bin", b"x")


def test_a_folder_in_the_place_of_the_file_is_a_storage_error(tmp_path):
    (tmp_path / "a.bin").mkdir()
    with pytest.raises(StorageError, match=r"a\.bin: can't be written"):
        storage.publish(tmp_path / "a.bin", b"x")
    assert left_in(tmp_path) == ["a.bin"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_a_storage_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="can't be written"):
        storage.publish(tmp_path / "a.bin", b"x")
    tmp_path.chmod(0o700)


def test_json_is_published_sorted_and_readable(tmp_path):
    storage.publish_json(tmp_path / "a.json", {"b": "ü", "a": [1]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n "a": [\n  1\n ],\n "b": "ü"\n}\n'


# --- names ----------------------------------------------------------------------------------------


@given(names)
def test_any_name_survives_encoding(name):
    encoded = storage.encode(name)
    assert os.fsencode(storage.decode(encoded)) == name
    assert storage.encode(os.fsdecode(name)) == encoded
    assert encoded.isascii()
    assert encoded.isprintable()
    assert not set(encoded) & set("#? \n")


@given(components, components)
def test_a_file_is_found_by_its_uri_whatever_its_name(folder, name):
    path = Path("/srv", os.fsdecode(folder), os.fsdecode(name))
    uri = storage.uri_of(path)
    assert uri.startswith("file:///srv/")
    assert storage.path_of(uri, NOWHERE) == path


def test_what_is_no_utf8_is_shown_as_replacement_characters():
    assert storage.readable(os.fsdecode(b"a\xffb")) == "a\ufffdb"
    assert storage.readable("жü") == "жü"


def test_a_uri_is_absolute_with_linked_folders_resolved_and_a_link_itself_left(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to("real")
    (tmp_path / "real/a").write_bytes(b"")
    (tmp_path / "real/b").symlink_to("a")
    monkeypatch.chdir(tmp_path)
    assert storage.uri_of(Path("linked/a")) == storage.uri_of(tmp_path / "real/a")
    assert storage.uri_of(Path("linked/b")).endswith("/real/b")
    assert storage.uri_of(Path("linked")).endswith("/linked")
    assert storage.uri_of(Path()) == storage.uri_of(Path("real/..")) == storage.uri_of(tmp_path)


# --- reading --------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    (tmp_path / "a b%#.bin").write_bytes(bytes(range(100)))
    return "a%20b%25%23.bin"


def refusal(reference: Reference, base: Path, limit: int = 1000) -> str:
    with pytest.raises(BadImage) as caught:
        storage.read(reference, base, limit)
    return caught.value.code


def test_a_whole_file_and_a_piece_of_one_are_read(tmp_path, file):
    assert storage.read(Reference(file), tmp_path, 100) == bytes(range(100))
    assert storage.read(Reference(storage.uri_of(tmp_path / "a b%#.bin")), NOWHERE, 100) == bytes(range(100))
    assert storage.read(Reference(file, 10, 5), tmp_path, 5) == bytes(range(10, 15))
    assert storage.read(Reference(file, 90), tmp_path, 10) == bytes(range(90, 100))
    assert storage.read(Reference(file, 0, 0), tmp_path, 5) == b""
    assert storage.read(Reference(file, 200), tmp_path, 5) == b""


def test_what_is_larger_than_the_limit_is_not_read(tmp_path, file):
    assert refusal(Reference(file), tmp_path, 99) == "too_large"
    assert refusal(Reference(file, 0, 50), tmp_path, 49) == "too_large"
    assert storage.read(Reference(file, 50), tmp_path, 50) == bytes(range(50, 100))


def test_a_file_that_is_gone_is_missing(tmp_path):
    assert refusal(Reference("gone.png"), tmp_path) == "missing"
    assert refusal(Reference("gone/a.png"), tmp_path) == "missing"


def test_a_member_beyond_the_end_of_its_file_is_missing(tmp_path, file):
    assert refusal(Reference(file, 90, 11), tmp_path) == "missing"
    assert refusal(Reference(file, 200, 1), tmp_path) == "missing"


def test_a_folder_is_unreadable(tmp_path):
    (tmp_path / "folder").mkdir()
    assert refusal(Reference("folder"), tmp_path) == "unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_unreadable(tmp_path, file):
    (tmp_path / "a b%#.bin").chmod(0)
    assert refusal(Reference(file), tmp_path) == "unreadable"


@pytest.mark.parametrize("way", ["file", "folder", "climbing", "absolute"])
def test_nothing_below_the_workspace_is_reached_through_a_link_or_out_of_it(tmp_path, way):
    home, secret = tmp_path / "work", tmp_path / "secret"
    (home / "blobs").mkdir(parents=True)
    (secret / "deep").mkdir(parents=True)
    (secret / "deep/id_rsa").write_bytes(b"key")
    (home / "blobs/a.tar").symlink_to(secret / "deep/id_rsa")
    (home / "pairs").symlink_to(secret)
    uri = {
        "file": "blobs/a.tar",
        "folder": "pairs/deep/id_rsa",
        "climbing": "blobs/../../secret/deep/id_rsa",
        "absolute": str(secret / "deep/id_rsa"),
    }[way]
    for spelled in (uri, uri.replace("..", "%2e%2e")):
        assert refusal(Reference(spelled), home) == "unreadable"
        with pytest.raises(BadImage):
            storage.read(Reference(spelled), home, 100, links=True)


def test_a_root_that_is_itself_a_link_is_followed(tmp_path, file):
    (tmp_path / "link").symlink_to(tmp_path)
    assert storage.read(Reference(file), tmp_path / "link", 100) == bytes(range(100))


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_a_source_swapped_for_a_link_is_not_followed(tmp_path, swapped):
    (tmp_path / "pile/sub").mkdir(parents=True)
    (tmp_path / "pile/sub/a.png").write_bytes(b"mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/a.png").write_bytes(b"secret")
    at = Reference(storage.uri_of(tmp_path / "pile/sub/a.png"))
    assert storage.read(at, NOWHERE, 10) == b"mine"
    if swapped == "file":
        (tmp_path / "pile/sub/a.png").unlink()
        (tmp_path / "pile/sub/a.png").symlink_to(tmp_path / "other/a.png")
    else:
        (tmp_path / "pile/sub").rename(tmp_path / "moved")
        (tmp_path / "pile/sub").symlink_to(tmp_path / "other")
    with pytest.raises(BadImage, match="unreadable: a link, or what is no folder, lies in its way"):
        storage.read(at, NOWHERE, 10)
    assert storage.read(at, NOWHERE, 10, links=True) == b"secret"  # for whoever knows its key


LIES = [(-1, 5), (1 << 70, 5), (0, 1 << 70), (1 << 62, 5)]


@pytest.mark.parametrize(("offset", "size"), LIES)
def test_lying_numbers_of_a_reference_are_typed(tmp_path, file, offset, size):
    assert refusal(Reference(file, offset, size), tmp_path) in ("unreadable", "missing", "too_large")


@pytest.mark.parametrize("links", [False, True])
def test_a_uri_that_is_no_whole_path_is_not_looked_for_where_one_is(tmp_path, file, monkeypatch, links):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadImage, match="unreadable: it is no whole path"):
        storage.read(Reference(f"file://{file}"), tmp_path, 1000, links=links)


def test_below_a_root_that_was_typed_as_a_link_no_link_is_followed(tmp_path):
    (tmp_path / "pile").mkdir()
    (tmp_path / "pile/a.png").write_bytes(b"mine")
    (tmp_path / "typed").symlink_to("pile")
    (tmp_path / "pile/out.png").symlink_to("/etc/hostname")
    root = storage.uri_of(tmp_path / "typed")
    assert storage.read(Reference(f"{root}/a.png"), NOWHERE, 10, root=root) == b"mine"
    for name in ("out.png", "../typed/a.png"):
        with pytest.raises(BadImage, match="unreadable"):
            storage.read(Reference(f"{root}/{name}"), NOWHERE, 10, root=root)


def test_a_key_is_the_beginning_of_the_sha256():
    assert storage.key_of(b"abc") == "ba7816bf8f01cfea414140de"  # FIPS 180-2, appendix B.1
    assert storage.digest(b"abc").startswith(storage.key_of(b"abc"))


def test_json_holds_paths_that_are_no_utf8(tmp_path):
    storage.publish_json(tmp_path / "a.json", {"command": "clean w\udcff"})
    assert json.loads((tmp_path / "a.json").read_bytes()) == {"command": "clean w\udcff"}


@pytest.mark.parametrize("name", ["p\udcff", "a/\udce4b", "\udcc3"])
def test_a_folder_whose_path_is_no_utf8_is_refused(name):
    with pytest.raises(SourceError, match="no UTF-8"):
        storage.refuse_bytes(Path("/x", name), SourceError)
    for fine in ("ü", "e\u0301", "🖌", "\ufffd"):
        storage.refuse_bytes(Path("/x", fine), SourceError)
