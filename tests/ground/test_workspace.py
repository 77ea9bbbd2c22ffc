"""A workspace is made where nothing is, recognized where it is, and held by one process at a time."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from anidata import workspace
from anidata.errors import FormatError, Locked, StorageError, WorkspaceError
from anidata.workspace import Workspace

HOLDER = """
import sys, time
from pathlib import Path
from anidata.workspace import open_workspace
with open_workspace(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def another_holder(work: Workspace) -> Iterator[subprocess.Popen]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(work.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout.readline() == b"held\n"
            yield process
        finally:
            process.stdin.close()
            process.kill()


def files(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


# --- making and opening ---------------------------------------------------------------------------


@pytest.mark.parametrize("there", [False, True])
def test_a_workspace_is_made_in_a_new_or_empty_folder(tmp_path, there):
    if there:
        (tmp_path / "a/work").mkdir(parents=True)
    made = workspace.create(tmp_path / "a/work")
    assert made == workspace.open_workspace(tmp_path / "a/work") == workspace.create(tmp_path / "a/work")
    mark = json.loads((tmp_path / "a/work/workspace.json").read_bytes())
    assert (mark["format"], mark["path"]) == (workspace.FORMAT, str(tmp_path / "a/work"))
    assert made.ids == tuple(mark["ids"])
    assert made.is_own()
    assert made.last_recipe() == {}


def test_a_workspace_knows_its_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert workspace.create(Path("work")).path == tmp_path / "work"


@pytest.mark.parametrize("name", ["workspace.json.part", ".workspace.json.0123abcd.anidata"])
def test_what_a_run_killed_in_its_first_moment_leaves_is_no_obstacle(tmp_path, name):
    (tmp_path / name).write_bytes(b'{"for')
    with workspace.create(tmp_path).locked():
        assert files(tmp_path) == {"workspace.json", ".lock", ".holder.json", "tmp"}


@pytest.mark.parametrize("name", ["holiday.jpg", ".hidden", "film.mkv.part", "folder/"])
def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(tmp_path, name):
    if name.endswith("/"):
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(
        WorkspaceError, match=r"has files in it and is no workspace\. Name a new or empty folder\."
    ):
        workspace.create(tmp_path)
    assert files(tmp_path) == {name.strip("/")}


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorkspaceError, match=r"is a file; a workspace is a folder\. Name another one\."):
        workspace.create(tmp_path / "file")
    with pytest.raises(StorageError, match="can't be written"):
        workspace.create(tmp_path / "file/below")


@pytest.mark.parametrize("number", [workspace.FORMAT + 1, 0, "1"])
def test_a_workspace_of_another_format_is_refused_with_a_way_out(tmp_path, number):
    (tmp_path / "workspace.json").write_text(json.dumps({"format": number}))
    for opening in (workspace.open_workspace, workspace.create):
        with pytest.raises(FormatError) as caught:
            opening(tmp_path)
        assert f"format {number}; this version of anidata reads format {workspace.FORMAT}" in str(
            caught.value
        )
        assert "anidata ingest NEW_WORK SOURCE" in str(caught.value)
        assert caught.value.exit_code == 3


@pytest.mark.parametrize("kind", ["nothing", "empty folder", "a file"])
def test_what_is_no_workspace_is_not_opened_but_told_how_to_start_one(tmp_path, kind):
    path = tmp_path / "my work"
    if kind == "empty folder":
        path.mkdir()
    elif kind == "a file":
        path.write_bytes(b"")
    with pytest.raises(WorkspaceError) as caught:
        workspace.open_workspace(path)
    assert str(caught.value) == f"{path} is no workspace. Start one with: anidata ingest '{path}' SOURCE"
    assert caught.value.exit_code == 3
    assert kind != "nothing" or not path.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b"{}", b"\xff"])
def test_a_mark_that_is_not_anidatas_is_told(tmp_path, content):
    (tmp_path / "workspace.json").write_bytes(content)
    for opening in (workspace.open_workspace, workspace.create):
        with pytest.raises(
            WorkspaceError, match=r"workspace\.json is not anidata's, or damaged. Name another folder."
        ):
            opening(tmp_path)
    assert (tmp_path / "workspace.json").read_bytes() == content


def test_a_recipe_is_remembered(tmp_path):
    work = workspace.create(tmp_path)
    work.remember("[clean]\nmin_side = 3\n")
    assert workspace.open_workspace(tmp_path).last_recipe() == {"clean": {"min_side": 3}}
    before = work.recipe_file.stat().st_mtime_ns, work.recipe_file.stat().st_ino
    work.remember("[clean]\nmin_side = 3\n")
    assert (work.recipe_file.stat().st_mtime_ns, work.recipe_file.stat().st_ino) == before


# --- holding --------------------------------------------------------------------------------------


def test_a_second_holder_is_told_who_the_first_is(tmp_path):
    work = workspace.create(tmp_path)
    with another_holder(work) as process:
        with pytest.raises(Locked) as caught, work.locked():
            pytest.fail("two hold it")
        assert f"{work.path} is in use by process {process.pid} on " in str(caught.value)
        assert str(caught.value).endswith("Wait for it, or stop it, then run this command again.")
        assert caught.value.exit_code == 3


def test_the_lock_is_gone_when_its_holder_is_killed(tmp_path):
    work = workspace.create(tmp_path)
    with another_holder(work) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with work.locked():
            assert json.loads((tmp_path / ".holder.json").read_bytes())["process"] == os.getpid()


def test_a_refused_command_takes_nothing_from_the_holder(tmp_path):
    work = workspace.create(tmp_path)
    with another_holder(work) as process:
        for _ in range(2):
            with pytest.raises(Locked, match=f"process {process.pid}"), work.locked():
                pass


def test_the_lock_ends_with_the_block_even_by_an_error(tmp_path):
    work = workspace.create(tmp_path)
    with pytest.raises(ZeroDivisionError), work.locked():
        raise ZeroDivisionError
    with work.locked(), pytest.raises(Locked), Workspace(work.path).locked():
        pass
    assert not (tmp_path / ".holder.json").exists()


def test_a_holder_that_left_no_word_is_another_process(tmp_path):
    work = workspace.create(tmp_path)
    with another_holder(work):
        (tmp_path / ".holder.json").write_bytes(b"{")
        with pytest.raises(Locked, match="is in use by another process"), work.locked():
            pass


def test_a_folder_that_cannot_be_locked_is_a_storage_error(tmp_path):
    work = workspace.create(tmp_path)
    (tmp_path / ".lock").mkdir()
    with pytest.raises(StorageError, match="can't be locked"), work.locked():
        pass


@pytest.mark.parametrize("name", ["w\udcff", "\udce4/work"])
def test_a_path_that_is_no_utf8_is_refused_and_nothing_is_made(tmp_path, name):
    with pytest.raises(WorkspaceError, match=r"no UTF-8\. Name another folder"):
        workspace.create(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
