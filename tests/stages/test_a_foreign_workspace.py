"""A workspace from elsewhere publishes nothing of this machine unless the user says so, nor by a trick."""

import json
import os
import pty
import shutil
import stat
import subprocess
import sys
import tarfile

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anidata import registry, storage, workspace
from anidata.catalog import tables
from anidata.catalog.pairs import pair_file
from anidata.catalog.schemas import FETCHED
from anidata.errors import BadImage, DamagedError, Untrusted, WorkspaceError
from anidata.imaging import admission
from anidata.imaging.reopen import Reader
from anidata.stages.ingest import plan
from anidata.workspace import Workspace
from drawings import drawing, save

pytestmark = pytest.mark.usefixtures("inline")


@pytest.fixture
def pile(tmp_path):
    for number in range(3):
        save(tmp_path / f"pile/{number}.png", drawing(number, 128, 128))
    return tmp_path / "pile"


@pytest.fixture
def work(command, pile, tmp_path):
    command("run", "quickstart", tmp_path / "work", pile, "--set", "clean.min_side=64")
    return tmp_path / "work"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Another user's machine, on which nothing is trusted."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(admission, "_admitted", set())
    monkeypatch.setattr(registry, "ask", registry.nobody)


def rewritten(path, **columns):
    """A table with other values in its first row."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0] |= columns
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def test_ones_own_workspace_is_known_wherever_it_is_moved_or_copied(work, tmp_path):
    assert Workspace(work).is_own()
    shutil.copytree(work, tmp_path / "copy")
    work.rename(tmp_path / "moved")
    for name in ("copy", "moved"):
        with Workspace(tmp_path / name).locked():
            assert Workspace(tmp_path / name).is_own()


def test_a_workspace_from_elsewhere_asks_before_it_reads_what_lies_outside(work, command, elsewhere):
    assert not Workspace(work).is_own()
    for words in (["run", "quickstart", work], ["extract-lineart", work, "--style", "dog"]):
        with pytest.raises(Untrusted) as caught:
            command(*words)
        assert caught.value.exit_code == WorkspaceError.exit_code == 3
        assert str(caught.value).startswith(f"{work} was made by somebody else, on another machine, or by ")
        assert "anidata --trust COMMAND" in str(caught.value)
    command("--trust", "extract-lineart", work, "--style", "dog")
    command("run", "quickstart", work)  # the answer is remembered


def test_what_reads_nothing_outside_needs_no_answer(work, command, elsewhere):
    command("status", work)
    command("clean", work)
    command("query", work, "SELECT count(*) FROM images")
    command("shard", work)


def test_a_workspace_that_names_nothing_outside_needs_no_answer(command, tmp_path, elsewhere, monkeypatch):
    command("run", "quickstart", tmp_path / "work", "sample:", "--limit", "3")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    assert not Workspace(tmp_path / "work").is_own()
    command("run", "quickstart", tmp_path / "work", "--limit", "4")


@pytest.mark.parametrize("table", ["plan/00000.parquet", "records", "fetched"])
def test_a_reference_planted_in_any_table_is_seen(command, tmp_path, elsewhere, monkeypatch, table):
    command("run", "quickstart", tmp_path / "work", "sample:", "--limit", "3")
    fetched = {"record": "x", "generation": 0, "url": "http://a.example/1", "at_uri": "blobs/a.tar"}
    tables.write(tmp_path / "work/fetched/part-00000-00000.parquet", tables.table([fetched], FETCHED))
    path = tmp_path / "work" / table
    path = path if path.is_file() else next(path.glob("*.parquet"))
    climbing = f"{admission.BUNDLED}../../../../etc/hostname"
    for planted in ("file:///etc/hostname", "file://hostname", climbing, climbing.replace("..", "%2e%2e")):
        rewritten(path, at_uri=planted)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
        with pytest.raises(Untrusted):
            admission.admit(Workspace(tmp_path / "work"))


def test_the_answer_lies_in_the_users_state_and_is_for_this_folder_alone(
    work, tmp_path, elsewhere, monkeypatch
):
    monkeypatch.setattr(registry, "ask", lambda _: True)
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    admission.admit(Workspace(work))
    assert {path: path.read_bytes() for path in work.rglob("*") if path.is_file()} == before
    [answer] = (tmp_path / "state/anidata/workspaces").iterdir()
    assert stat.S_IMODE(answer.stat().st_mode) == 0o600
    assert stat.S_IMODE(answer.parent.stat().st_mode) == 0o700
    monkeypatch.setattr(registry, "ask", registry.nobody)
    monkeypatch.setattr(admission, "_admitted", set())
    admission.admit(Workspace(work))
    work.rename(tmp_path / "before")  # another one is put in its place
    shutil.copytree(tmp_path / "before", work)
    with pytest.raises(Untrusted):
        admission.admit(Workspace(work))


@pytest.mark.parametrize(
    "forged", ["another id", "another owner", "no owner", "no ids", "ids of another kind"]
)
def test_a_mark_can_not_be_forged(work, forged):
    path = work / workspace.MARK
    mark = json.loads(path.read_bytes())
    change = {
        "another id": {"ids": ["0" * 16]},
        "another owner": {"owner": "0" * 32},
        "no owner": {"owner": None},
        "no ids": {"ids": []},
        "ids of another kind": {"ids": {"a": 1}},
    }[forged]
    path.write_text(json.dumps(mark | change))
    assert not Workspace(work).is_own()


def test_an_earlier_versions_workspace_is_asked_about_once(work, command, monkeypatch):
    monkeypatch.setattr(admission, "_admitted", set())
    mark = json.loads((work / workspace.MARK).read_bytes())
    del mark["owner"]
    (work / workspace.MARK).write_text(json.dumps(mark))
    with pytest.raises(Untrusted, match="or by an earlier version"):
        command("run", "quickstart", work)
    command("--trust", "run", "quickstart", work)
    command("run", "quickstart", work)


def test_without_a_home_a_new_workspace_is_the_users_and_the_next_command_says_what_to_type(
    pile, command, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(admission, "_admitted", set())
    monkeypatch.setattr(workspace, "_MADE", set())
    command("ingest", tmp_path / "work", pile)
    monkeypatch.setattr(workspace, "_MADE", set())
    with pytest.raises(Untrusted, match="--trust"):
        command("ingest", tmp_path / "work", pile)
    command("--trust", "ingest", tmp_path / "work", pile)


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_it_asks(work, elsewhere, answer, tmp_path):
    """By a real terminal and a real process."""
    above, below = pty.openpty()
    words = [sys.executable, "-m", "anidata", "run", "quickstart", str(work)]
    surroundings = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")}
    process = subprocess.Popen(
        words, stdin=below, stderr=below, stdout=subprocess.DEVNULL, close_fds=True, env=surroundings
    )
    os.close(below)
    os.write(above, f"{answer}\n".encode())
    text = b""
    while process.poll() is None or not text:
        try:
            text += os.read(above, 4096)
        except OSError:
            break
    assert process.wait() == (0 if answer == "y" else 3)
    assert b"Shall they be read?" in text
    assert (tmp_path / "state/anidata/workspaces").exists() == (answer == "y")


@pytest.mark.parametrize("lie", [{"size": 1 << 40}, {"size": -1}, {"offset": 1 << 62}, {"offset": -9}])
def test_numbers_of_a_pair_that_lie_are_damage(work, lie):
    [table] = (work / "pairs").glob("*.parquet")
    with pytest.raises(DamagedError):
        pair_file(Workspace(work), pq.read_table(table).to_pylist()[0] | lie)


# --- tricks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tar", ["../../id_rsa", "/etc/hostname", "%2e%2e/%2e%2e/id_rsa", "link.tar"])
def test_no_tar_outside_pairs_is_packed_from(work, command, tmp_path, tar):
    [table] = (work / "pairs").glob("*.parquet")
    shutil.copy(table.with_suffix(".tar"), tmp_path / "id_rsa")  # all as it should be, but for its place
    (work / "pairs/link.tar").symlink_to(tmp_path / "id_rsa")
    row = pq.read_table(table).to_pylist()[0]
    with pytest.raises(DamagedError):
        pair_file(Workspace(work), row | {"tar": tar})
    assert pair_file(Workspace(work), row)


def planted_in_pairs(work, make):
    """Put other bytes of the same size in a pair's place in its tar; the table and those bytes."""
    [table] = (work / "pairs").glob("*.parquet")
    row = next(row for row in pq.read_table(table).to_pylist() if row["suffix"] == "png")
    with table.with_suffix(".tar").open("r+b") as file:
        file.seek(row["offset"])
        data = make(file.read(row["size"]))
        file.seek(row["offset"])
        file.write(data)
    return table, data


def text_instead(data):
    return b"-----BEGIN OPENSSH PRIVATE KEY-----".ljust(len(data), b"x")


def another_size(data):
    return data[:16] + (4000).to_bytes(4) + data[20:]


def another_picture(data):
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("make", [text_instead, another_size, another_picture])
@pytest.mark.parametrize("by", ["this version", "an earlier one"])
def test_what_is_packed_is_the_picture_that_its_row_tells_of(work, command, make, by):
    table, lie = planted_in_pairs(work, make)
    if by == "an earlier one":
        whole = pq.read_table(table)
        without = whole.set_column(
            whole.schema.get_field_index("digest"), "digest", pa.nulls(len(whole), pa.string())
        )
        pq.write_table(without.replace_schema_metadata(whole.schema.metadata), table)
    shutil.rmtree(work / "dataset")
    command("shard", work)  # what is damaged is drawn again
    published = {}
    for path in (work / "dataset/data").glob("*.tar"):
        with tarfile.open(path) as tar:
            published |= {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.name[-3:] == "png"}
    is_seen = by == "this version" or make is not another_picture
    assert (lie not in published.values()) == is_seen
    assert not any(b"PRIVATE KEY" in data for data in published.values())


def test_a_file_swapped_for_a_link_between_listing_and_reading_is_a_row(pile, command, tmp_path, monkeypatch):
    save(tmp_path / "secret.png", np.full((128, 128, 3), 7, np.uint8))
    real = plan.add_generation

    def swapping(*words):
        added = real(*words)
        (pile / "1.png").unlink()
        (pile / "1.png").symlink_to(tmp_path / "secret.png")
        return added

    monkeypatch.setattr(plan, "add_generation", swapping)
    command("ingest", tmp_path / "work", pile)
    answer = "SELECT file, status, error FROM records ORDER BY file"
    rows = command("query", tmp_path / "work", answer, "--format", "json")
    rows = json.loads(rows) if isinstance(rows, str) else rows
    assert {row["file"]: row["error"] for row in rows} == {
        "0.png": None,
        "1.png": "unreadable",
        "2.png": None,
    }


def test_links_within_a_source_go_on_as_listing_decided(pile, command, tmp_path):
    (pile / "more").mkdir()
    (pile / "more/linked.png").symlink_to("../0.png")
    (pile / "more/out.png").symlink_to(tmp_path / "elsewhere.png")
    save(tmp_path / "elsewhere.png", drawing(9, 128, 128))
    (tmp_path / "typed").symlink_to(pile)
    command("run", "quickstart", tmp_path / "work", tmp_path / "typed", "--set", "clean.min_side=64")
    rows = command("query", tmp_path / "work", "SELECT file, error, key FROM records", "--format", "json")
    rows = {row["file"]: row for row in (json.loads(rows) if isinstance(rows, str) else rows)}
    assert rows["linked.png"]["key"] == rows["0.png"]["key"]
    assert rows["linked.png"]["error"] is None
    assert rows["out.png"]["error"] == "link"


def test_what_was_read_by_its_key_is_read_again_behind_a_link(work, pile, tmp_path):
    """A source moved to another disk with a link in its place; and one that leads to another picture."""
    pile.rename(tmp_path / "other disk")
    pile.symlink_to(tmp_path / "other disk")
    uri = storage.FILE + storage.encode(str(pile / "0.png"))
    data = (pile / "0.png").read_bytes()
    reader = Reader(Workspace(work), 1 << 20, 1 << 20)
    location = {"uri": uri, "offset": None, "size": None}
    assert reader.decode([location], storage.key_of(data)).rgb.shape == (128, 128, 3)
    with pytest.raises(BadImage, match="changed"):
        reader.decode([location], "0" * 24)
    PIL.Image.new("RGB", (8, 8)).save(pile / "0.png")
    with pytest.raises(BadImage, match="changed"):
        reader.decode([location], storage.key_of(data))
