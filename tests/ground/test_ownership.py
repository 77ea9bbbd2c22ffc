"""Only what is ours is replaced or deleted: below a folder with our mark, and through no link."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from anidata import ownership, storage, workspace
from anidata.errors import AnidataError, Locked, StorageError, WorkspaceError
from drawings import make_pile
from finished import run_inline

LEFT = "0123abcd.anidata"  # the end of a leftover's name


def hashes(folder: Path) -> dict[str, str]:
    """Everything below a folder: a file's digest, a link's target."""
    return {p.relative_to(folder).as_posix(): _content(p) for p in sorted(folder.rglob("*"))}


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"


@pytest.fixture
def decoy(tmp_path):
    """Somebody's folder."""
    folder = tmp_path / "mine"
    for name in ("a.parquet", "deep/b.tar", "z.png.part", f"deep/.c.{LEFT}", "duckdb_temp_storage-0.tmp"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def home(tmp_path):
    """The folder of a workspace that has been locked before."""
    with workspace.create(tmp_path / "work").locked():
        pass
    return tmp_path / "work"


def lock(home):
    with workspace.open_workspace(home).locked():
        pass


# --- publishing and deleting ----------------------------------------------------------------------

WAYS = {
    "publish": lambda path: storage.publish(path, b"new"),
    "delete": storage.delete,
    "append": storage.opened_for_appending,
    "move to": lambda path: storage.move(path.parents[1] / "recipe.toml", path),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("depth", ["folder", "deep", "file"])
def test_nothing_is_written_or_deleted_through_a_link(home, decoy, way, depth):
    path = {"folder": "images/a.parquet", "deep": "shards/deep/b.tar", "file": "images/a.parquet"}[depth]
    link = home / {"folder": "images", "deep": "shards/deep", "file": "images/a.parquet"}[depth]
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(decoy / {"folder": ".", "deep": "deep", "file": "a.parquet"}[depth])
    (home / "recipe.toml").write_bytes(b"")
    before = hashes(decoy)
    with pytest.raises(StorageError, match=rf"{re.escape(str(link))} is a link, .* run the same command"):
        WAYS[way](home / path)
    assert hashes(decoy) == before
    assert link.is_symlink()


def test_a_file_in_the_making_is_private_and_nobody_elses_name_is_taken(tmp_path, decoy):
    (tmp_path / "a.bin.part").symlink_to(decoy / "a.parquet")
    before = hashes(decoy)
    with storage.publishing(tmp_path / "a.bin") as file:
        [begun] = [p for p in tmp_path.iterdir() if ownership.is_leftover(p.name)]
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
        assert re.fullmatch(r"\.a\.bin\.[0-9a-f]{8}\.anidata", begun.name)
    assert hashes(decoy) == before
    assert (tmp_path / "a.bin.part").is_symlink()
    assert {p.name for p in tmp_path.iterdir()} == {"a.bin", "a.bin.part", "mine"}


@pytest.mark.parametrize("mask", ["022", "027", "077"])
def test_a_published_file_has_the_mode_that_the_umask_gives(tmp_path, mask):
    program = "from pathlib import Path; from anidata import storage; storage.publish(Path('a'), b'')"
    command = f'umask {mask}; "$0" -c "$1"'
    subprocess.run(["sh", "-c", command, sys.executable, program], cwd=tmp_path, check=True)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~int(mask, 8)


def test_a_name_as_long_as_names_may_be_is_published(tmp_path):
    for name in ("x" * 255, "ü" * 127, "🖌" * 63):
        storage.publish(tmp_path / name, b"x")
        assert (tmp_path / name).read_bytes() == b"x"


def test_the_folder_that_was_typed_may_be_a_link(home, tmp_path):
    (tmp_path / "link").symlink_to(home)
    lock(tmp_path / "link")
    storage.publish(tmp_path / "link/images/a", b"x")
    assert (home / "images/a").read_bytes() == b"x"


def test_a_link_to_another_folder_of_ours_is_no_way_either(home, tmp_path):
    with workspace.create(tmp_path / "other").locked():
        storage.publish(tmp_path / "other/a", b"theirs")
    (home / "images").symlink_to(tmp_path / "other")
    with pytest.raises(StorageError, match="images is a link"):
        storage.publish(home / "images/a", b"ours")
    assert (tmp_path / "other/a").read_bytes() == b"theirs"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"folder": "x"}', b"\xff"])
def test_a_mark_that_is_not_ours_marks_nothing(tmp_path, content):
    for name in ownership.MARKS:
        (tmp_path / name).write_bytes(content)
    assert not ownership.is_marked(tmp_path)
    assert ownership.root_of(tmp_path / "below") == tmp_path / "below"


# --- leftovers ------------------------------------------------------------------------------------


def test_what_killed_runs_had_begun_goes_and_all_else_stays(home):
    theirs = [
        "z.png.part",
        "film.mkv.part",
        "images/z.png.part",
        "pairs/My Picture.parquet.part",
        "mine/.a.parquet.0123abcd.anidata",
        "tmp/notes.txt",
        "tmp/mine/a.png",
        "dataset/z.png.part",
    ]
    ours = [
        f".recipe.toml.{LEFT}",
        f"images/.part-00000-00000.parquet.{LEFT}",
        f"shards/0123/.state.json.{LEFT}",
        "recipe.toml.part",
        "images/part-00000-00000.parquet.part",
        "edges/00000.keys.npy.part",
        "shards/0123/train-00000-of-00001.json.part",
        "tmp/duckdb_temp_storage_DEFAULT-0.tmp",
        f"tmp/.scratch.{LEFT}/windows",
    ]
    for name in theirs + ours:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"")
    lock(home)
    assert [name for name in theirs if not (home / name).exists()] == []
    assert [name for name in ours if (home / name).exists()] == []
    assert list((home / "tmp").glob(".scratch*")) == []


@pytest.mark.parametrize("name", [f".a.{LEFT}", "part-00000.tar.part"])
def test_a_link_by_a_leftovers_name_stays_and_so_does_what_it_leads_to(home, decoy, name):
    (home / "images").mkdir()
    (home / "images" / name).symlink_to(decoy / "a.parquet")
    (home / "images/folder").symlink_to(decoy)
    before = hashes(decoy)
    lock(home)
    assert (home / "images" / name).is_symlink()
    assert hashes(decoy) == before


@pytest.mark.parametrize("name", workspace.FOLDERS)
def test_a_folder_of_a_workspace_that_is_a_link_is_told_and_nothing_behind_it_goes(home, decoy, name):
    shutil.rmtree(home / name, ignore_errors=True)
    (home / name).symlink_to(decoy)
    before = hashes(decoy)
    if name == workspace.TMP:
        lock(home)  # another disk: it is used
    else:
        with pytest.raises(StorageError, match=f"{name} is a link"):
            lock(home)
    assert hashes(decoy) == before


def test_a_private_folder_is_private_and_lasts_as_long_as_its_block(home, decoy):
    (home / "tmp").rmdir()
    (home / "tmp").symlink_to(decoy)
    before = hashes(decoy)
    with ownership.scratch(home / "tmp") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "a").write_bytes(b"x")
        lock(home)
        assert (folder / "a").exists()  # its process lives
    assert hashes(decoy) == before


def test_a_private_folder_whose_process_was_killed_goes_with_the_next_run(home):
    program = """
import os, signal, sys
from pathlib import Path
from anidata import ownership
with ownership.scratch(Path(sys.argv[1])) as folder:
    (folder / "a").write_bytes(b"x")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program, home / "tmp"], check=False)
    assert len(list((home / "tmp").iterdir())) == 1
    lock(home)
    assert list((home / "tmp").iterdir()) == []


def test_a_lock_that_is_a_link_is_told_and_what_it_leads_to_stays(home, decoy):
    (home / ".lock").unlink()
    (home / ".lock").symlink_to(decoy / "a.parquet")
    before = hashes(decoy)
    with pytest.raises(StorageError, match=r"\.lock is a link"):
        lock(home)
    assert hashes(decoy) == before


# --- whose a data set is --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def works(tmp_path_factory):
    """A workspace whose data set lies in it, and one whose data set lies beside it."""
    folder = tmp_path_factory.mktemp("works")
    pile = make_pile(folder / "pile")
    run_inline("run", "quickstart", folder / "within", pile)
    run_inline("run", "quickstart", folder / "beside", pile, "--dataset", folder / "set")
    return folder


@pytest.fixture
def made(works, tmp_path):
    """A copy of them, each with its own id; `beside` has moved along with its data set."""
    shutil.copytree(works, tmp_path / "made", symlinks=True)
    for name in ("within", "beside"):
        mark = tmp_path / "made" / name / "workspace.json"
        mark.write_text(json.dumps(json.loads(mark.read_text()) | {"path": "/gone"}))
    return tmp_path / "made"


OTHERS = "holds a data set, that of another workspace, '{}'. Name another folder, or delete that one yourself"


def test_a_second_workspace_with_the_same_data_set_is_refused(made, command, inline):
    before = hashes(made / "set")
    with pytest.raises(WorkspaceError, match=OTHERS.format("beside")):
        command("run", "quickstart", made / "third", made / "pile", "--dataset", made / "set")
    with pytest.raises(WorkspaceError, match=OTHERS.format("beside")):
        command("shard", made / "within", made / "set")
    with pytest.raises(WorkspaceError, match=OTHERS.format("within")):
        command("shard", made / "beside", made / "within/dataset")
    assert hashes(made / "set") == before
    command("shard", made / "beside", made / "set", "--set", "shard.seed=7")
    assert hashes(made / "set") != before


def test_a_copy_of_a_workspace_goes_on_with_its_own_data_set_alone(made, command, inline):
    command("clean", made / "within")
    command("clean", made / "beside")
    for name in ("within", "beside"):
        shutil.copytree(made / name, made / f"{name} copy", symlinks=True)
    before = hashes(made / "set")
    command("shard", made / "within copy", "--set", "shard.seed=7")
    mark = json.loads((made / "within copy/dataset/.anidata").read_text())
    assert mark["workspace"]["name"] == "within copy"
    with pytest.raises(WorkspaceError, match=OTHERS.format("beside")):
        command("shard", made / "beside copy", made / "set", "--set", "shard.seed=7")
    assert hashes(made / "set") == before
    first, second = (workspace.Workspace(made / name).ids for name in ("within", "within copy"))
    assert first[0] != second[0]
    assert first[0] == second[1]


def test_a_workspace_that_moved_is_the_same(made, command, inline):
    (made / "beside").rename(made / "moved")
    command("shard", made / "moved", made / "set", "--set", "shard.seed=7")
    assert len(workspace.Workspace(made / "moved").ids) == 1


OLD_MARK = "A data set of anidata, format 1. Files listed in manifest.json are rewritten by anidata.\n"


def test_a_data_set_made_before_marks_named_a_workspace_is_its_builders(works, command, inline, tmp_path):
    mark = works / "set/.anidata"
    kept = mark.read_bytes()
    mark.write_text(OLD_MARK)
    with pytest.raises(WorkspaceError, match=r"of no workspace that it names\. Name another folder"):
        command("shard", works / "within", works / "set")
    assert mark.read_text() == OLD_MARK
    command("shard", works / "beside", works / "set", "--reshard")
    assert json.loads(mark.read_bytes()) == json.loads(kept)


@pytest.mark.parametrize("content", ["", OLD_MARK])
def test_a_data_set_that_was_only_begun_is_anyones(made, command, inline, content):
    (made / "new").mkdir()
    (made / "new/.anidata").write_text(content)
    command("shard", made / "within", made / "new")
    assert (made / "new/manifest.json").exists()


@pytest.mark.parametrize("content", ["mine", '{"format": 1, "kind": "run", "id": "0"}'])
def test_a_mark_of_something_else_is_no_data_set(made, command, inline, content):
    (made / "new").mkdir()
    (made / "new/.anidata").write_text(content)
    with pytest.raises(WorkspaceError, match="new is no data set"):
        command("shard", made / "within", made / "new")
    assert (made / "new/.anidata").read_text() == content


def test_a_data_set_at_which_another_build_is_at_work_is_told_at_once(made, command, inline):
    with ownership.locked(made / "set", ".anidata"), pytest.raises(Locked, match="set is in use by another"):
        command("shard", made / "beside", made / "set", "--reshard")


def test_the_ids_are_in_the_marks_alone(works):
    for name, dataset in (("within", "within/dataset"), ("beside", "set")):
        [number] = workspace.Workspace(works / name).ids
        naming = {
            p.name for p in (works / dataset).rglob("*") if p.is_file() and number in p.read_text("latin1")
        }
        assert naming == {".anidata"}
    assert (works / "set/.anidata").read_text().count("/") == 0
    manifests = [
        json.loads((works / path / "manifest.json").read_text()) for path in ("within/dataset", "set")
    ]
    assert manifests[0]["splits"] == manifests[1]["splits"]
    assert ".anidata" not in manifests[0]["files"]


# --- links at everything that a run writes or deletes ---------------------------------------------


def planted(work: Path, path: Path, decoy: Path) -> None:
    """Replace a path of a workspace by a link to a copy of it that is somebody else's."""
    decoy.mkdir()
    shutil.move(path, decoy / path.name)
    for name in ("z.png.part", f".x.{LEFT}", f"{path.name}.part"):
        (decoy / name).write_bytes(b"mine")
        if (decoy / path.name).is_dir():
            (decoy / path.name / name).write_bytes(b"mine")
    path.symlink_to(decoy / path.name)


@pytest.fixture
def is_unharmed(works, tmp_path, command, inline):
    """Whether what a link leads to is as before after a run with other settings, ended well or told."""

    def run(name: str) -> bool:
        work, decoy = tmp_path / "work", tmp_path / "decoy"
        for folder in (work, decoy):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(works / "within", work, symlinks=True)
        planted(work, work / name, decoy)
        before = hashes(decoy)
        words = ("--set", "shard.seed=7", "--set", "clean.min_side=300", "--set", "lineart.size=128")
        with contextlib.suppress(AnidataError):
            command("run", "quickstart", work, works / "pile", *words)
        return hashes(decoy) == before

    return run


@pytest.mark.parametrize(
    "name", ["pairs", "tmp", "dataset", "dataset/data", "dataset/.anidata", "workspace.json"]
)
def test_what_a_link_leads_to_is_unharmed_by_a_run(is_unharmed, name):
    assert is_unharmed(name)


@pytest.mark.slow
def test_whatever_path_of_a_finished_workspace_is_a_link_what_it_leads_to_is_unharmed(works, is_unharmed):
    names = [p.relative_to(works / "within").as_posix() for p in sorted((works / "within").rglob("*"))]
    assert len(names) > 40
    assert [name for name in names if not is_unharmed(name)] == []


def test_builds_there_and_back_give_the_same_manifest_and_leave_the_users_files(made, command, inline):
    """Beside the sources and in the data set."""
    theirs = [made / "pile/z.png.part", made / "set/z.png.part", made / "set/data/film.mkv.part"]
    before = (made / "set/manifest.json").read_bytes()
    for path in theirs:
        path.write_bytes(b"mine")
    command("shard", made / "beside", made / "set", "--set", "shard.seed=7")
    assert (made / "set/manifest.json").read_bytes() != before
    command("shard", made / "beside", made / "set", "--set", "shard.seed=0")
    assert [path.read_bytes() for path in theirs] == [b"mine"] * 3
    assert (made / "set/manifest.json").read_bytes() == before


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_fails_while_a_private_folder_is_written_is_told_with_a_remedy(tmp_path, code):
    with pytest.raises(StorageError, match=r"can.t be written .* Make room"), ownership.scratch(tmp_path):
        raise OSError(code, os.strerror(code))
    assert list(tmp_path.iterdir()) == []


def test_another_error_in_a_private_folder_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), ownership.scratch(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "x")
