"""Under fire: a command that was killed, starved, interrupted or robbed of its sources, run again.

It leaves what an undisturbed one leaves. A sample of what `make torture` does at hundreds of moments. Here
the moments are named.
"""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import PIL.Image
import pytest

from anidata import storage, workspace
from anidata.catalog.schemas import RETRIED
from anidata.engine.engine import Engine
from anidata.errors import Interrupted, StorageError
from anidata.stages.ingest import plan
from drawings import drawing, save
from fault_lab import decodes
from fault_lane import Lane, can_mount, fill, manifest, read_only, small_disk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the laboratory takes Linux: pidfds, /proc")
DISKS = pytest.mark.skipif(not can_mount(), reason="only root may mount a disk that is small or read-only")
SEEN: list[bytes] = []  # the manifest of an undisturbed run over the pile, once there was one


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    """An empty contact sheet will do."""
    monkeypatch.setattr("anidata.reports.contact_sheet.write", lambda *args: args[-1].touch())


@pytest.fixture
def undisturbed(pile, tmp_path, command, inline):
    """The manifest of an undisturbed run over the pile, which is the same each time."""
    if not SEEN:
        command("run", "quickstart", tmp_path / "undisturbed", pile)
        SEEN.append(manifest(tmp_path / "undisturbed"))
    return SEEN[0]


@pytest.fixture(scope="module")
def lane(tmp_path_factory):
    """A workspace to disturb, with ten pictures in parts of five, and what an undisturbed run makes of it."""
    lane = Lane(tmp_path_factory.mktemp("lane"), 6)
    lane.prepare("run", "retune")
    yield lane
    lane.close()


def struck(lane, stage, blow, step, name):
    """A run that is struck at a step of a publish.

    blow: `all` processes are killed, or the `one` that does it; `full`: no room from there on.
    """
    lane.restore(stage)
    return lane.nursery.run(*lane.words(stage), env=lane.blow(blow, f"{step} {lane.work / name}"))


# --- kills ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("before fsync", "workspace.json"),
        ("after rename", "pairs/part-00000.tar"),
        pytest.param("before fsync", "dataset/index/train-00000-of-00001.idx", marks=pytest.mark.slow),
        pytest.param("after rename", "dataset/data/train-00000-of-00001.tar", marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_at_a_publish_is_healed_by_the_same_command(lane, step, name):
    assert struck(lane, "run", "all", step, name).code == -signal.SIGKILL
    assert lane.again("run") == []


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("after rename", "pairs/part-00000.tar"),
        ("before fsync", "dataset/metadata/train-00000-of-00001.parquet"),
        pytest.param("before fsync", "dataset/data/train-00000-of-00001.tar", marks=pytest.mark.slow),
        pytest.param("before fsync", "dataset/index/train-00000-of-00001.idx", marks=pytest.mark.slow),
    ],
)
def test_a_worker_killed_at_a_publish_costs_nothing_and_leaves_nothing(lane, step, name):
    ended = struck(lane, "run", "one", step, name)
    assert (ended.code, ended.troubles) == (0, [])
    assert lane.amiss("run") == []


@pytest.mark.slow
def test_settings_taken_back_after_a_kill_leave_what_they_left_before(lane):
    assert (
        struck(lane, "retune", "all", "after rename", "dataset/data/train-00000-of-00001.tar").code
        == -signal.SIGKILL
    )
    assert lane.again("run") == []


# --- disks ----------------------------------------------------------------------------------------


def is_told(ended):
    """Whether a command ended with a typed error, its last line, that names the remedy."""
    return (
        ended.code == 5
        and ended.err.splitlines()[-1].startswith("StorageError: ")
        and "command again" in ended.err
        and not ended.troubles
    )


def test_no_room_at_a_publish_is_told_and_healed_by_the_same_command(lane):
    assert is_told(struck(lane, "run", "full", "before fsync", "pairs/part-00000.tar"))
    assert lane.again("run") == []


@DISKS
@pytest.mark.slow
def test_a_disk_that_fills_is_told_and_healed_when_there_is_room(lane):
    shutil.rmtree(lane.work, ignore_errors=True)
    with small_disk(lane.home, 32 << 20):
        ballast = fill(lane.home, 200_000)
        assert is_told(lane.nursery.run(*lane.words("run")))
        ballast.unlink()
        assert lane.again("run") == []


@DISKS
@pytest.mark.slow
def test_a_folder_that_turned_read_only_is_told_and_healed_when_it_is_writable(lane):
    lane.restore("retune")
    with read_only(lane.work / "pairs"):
        assert is_told(lane.nursery.run(*lane.words("retune")))
    assert lane.again("retune", then="retune") == []


@DISKS
@pytest.mark.slow
def test_a_disk_that_turns_read_only_during_a_run_is_told(lane):
    lane.restore("run")
    command = lane.start("run")
    until(command, lambda: any(lane.work.glob("records/*.parquet")))
    with read_only(lane.work):
        ended = command.ended()
    assert is_told(ended)
    assert lane.again("run") == []


def test_no_room_for_temporary_files_is_told(monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with (
        Engine(1) as engine,
        pytest.raises(
            StorageError, match=r"temporary files can't be written \(No space left on device\).* TMPDIR"
        ),
    ):
        list(engine.map(decodes, [["a"]]))


def test_what_a_killed_run_began_makes_room_before_anything_is_written(tmp_path, monkeypatch):
    work = workspace.create(tmp_path / "work")
    left = [
        tmp_path / "work" / name
        for name in (
            "pairs/.part-00000.tar.0123abcd.anidata",
            "shards/0/train-00000-of-00001.json.part",
            ".holder.json.part",
        )
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    monkeypatch.setattr(
        storage,
        "publish_json",
        lambda *_: pytest.fail("wrote first") if any(p.exists() for p in left) else None,
    )
    with work.locked():
        pass


# --- people ---------------------------------------------------------------------------------------


def until(command, happens):
    """Wait for a state of a command that will come."""
    while not happens() and not command.is_over(0.002):
        pass


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ctrl_c_in_a_run_says_how_to_go_on_and_the_same_command_does(lane, times):
    lane.restore("run")
    command = lane.start("run")
    until(command, lambda: any(lane.work.glob("images/*")))
    for _ in range(times):
        command.press_ctrl_c()
        command.is_over(0.02)
    ended = command.ended()
    assert (ended.code, ended.troubles) == (130, [])
    assert ended.err.startswith("Interrupted: ")
    assert ended.err.endswith("The same command goes on.\n")
    assert ended.err.count("\n") == 1
    assert lane.again("run") == []


def test_duckdb_says_in_the_words_we_know_that_ctrl_c_struck_within_a_query():
    program = """
import os, signal, threading, duckdb
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where this runs in the background
over = threading.Event()
def press():  # again and again: on a busy machine the first may come before the query
    while not over.wait(0.2):
        os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=press, daemon=True).start()
database = duckdb.connect(config={"threads": "1"})  # as the catalog's own
for _ in range(100):
    try:
        database.sql("SELECT sum(a.range * b.range) FROM range(1_000_000) a, range(1_000_000) b").fetchall()
    except RuntimeError as error:
        over.set()
        print(error)
        break
    except KeyboardInterrupt:
        pass
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"{workspace.DUCKDB_INTERRUPTED}\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError(workspace.DUCKDB_INTERRUPTED)])
def test_ctrl_c_between_maps_and_within_a_query_is_told_too(tmp_path, error):
    work = workspace.create(tmp_path)
    with pytest.raises(Interrupted, match="same command goes on"), work.locked():
        raise error
    with pytest.raises(RuntimeError, match="a bug"), work.locked():
        raise RuntimeError("a bug")


def test_a_second_run_on_a_workspace_in_use_stops_at_once_and_names_the_first(lane):
    lane.restore("run")
    first = lane.start("run")
    until(first, (lane.work / ".holder.json").exists)
    begun = time.monotonic()
    second = lane.second.run(*lane.words("run"))
    assert time.monotonic() - begun < 5
    assert second.code == 3
    assert second.err.startswith(f"Locked: {lane.work} is in use by process {first.pid} ")
    assert first.ended().code == 0
    assert lane.amiss("run") == []


# --- sources --------------------------------------------------------------------------------------


def answers(command, work, sql):
    return json.loads(command("query", work, sql, "--format", "json"))


def during_ingest(monkeypatch, act):
    """Do something between the listing and the reading of an ingest, once."""
    add, todo = plan.add_generation, [act]

    def adding(*args):
        generation = add(*args)
        while todo:
            todo.pop()()
        return generation

    monkeypatch.setattr(plan, "add_generation", adding)


def test_a_source_that_vanishes_during_ingest_is_missing_and_heals(
    pile, tmp_path, command, undisturbed, monkeypatch
):
    work, away = tmp_path / "work", tmp_path / "away.png"
    during_ingest(monkeypatch, lambda: shutil.move(pile / "05.png", away))
    command("run", "quickstart", work, pile)
    assert answers(command, work, "SELECT status, error FROM records WHERE file = '05.png'") == [
        {"status": "failed", "error": "missing"}
    ]
    shutil.move(away, pile / "05.png")
    command("run", "quickstart", work, pile)
    assert manifest(work) == undisturbed


def test_a_source_that_changes_during_ingest_is_changed_when_put_back_and_refresh_heals_it(
    pile, tmp_path, command, undisturbed, monkeypatch
):
    """Put back with its date: as its listing knows it."""
    work, away = tmp_path / "work", tmp_path / "away.png"
    shutil.copy2(pile / "05.png", away)
    during_ingest(monkeypatch, lambda: save(pile / "05.png", drawing(500)))
    command("ingest", work, pile)
    shutil.copy2(away, pile / "05.png")
    command("run", "quickstart", work, pile)
    assert answers(command, work, "SELECT status, keep FROM records WHERE file = '05.png'") == [
        {"status": "changed", "keep": False}
    ]
    command("run", "quickstart", work, pile, "--refresh")
    assert manifest(work) == undisturbed


@pytest.mark.parametrize(("how", "code"), [("goes", "missing"), ("changes", "changed")])
def test_a_source_that_goes_or_changes_after_ingest_is_told_and_heals(
    pile, tmp_path, command, undisturbed, how, code
):
    work, away = tmp_path / "work", tmp_path / "away.png"
    command("ingest", work, pile)
    shutil.move(pile / "05.png", away)
    if how == "changes":
        save(pile / "05.png", drawing(500))
    command("run", "quickstart", work, pile)
    assert answers(command, work, "SELECT reasons FROM images WHERE file = '05.png'") == [{"reasons": [code]}]
    shutil.move(away, pile / "05.png")
    command("run", "quickstart", work, pile)
    assert manifest(work) == undisturbed


def test_true_lineart_that_was_away_during_ingest_is_taken_when_it_is_back(
    tmp_path, command, inline, monkeypatch
):
    pile, work = tmp_path / "pile", tmp_path / "work"
    save(pile / "a_color.png", drawing(1))
    line = save(pile / "a_line.png", drawing(1))
    during_ingest(monkeypatch, lambda: line.rename(tmp_path / "away.png"))
    command("ingest", work, pile)
    assert answers(command, work, "SELECT line_error FROM records") == [{"line_error": "missing"}]
    (tmp_path / "away.png").rename(line)
    command("ingest", work, pile)
    assert answers(command, work, "SELECT line_error, line_key IS NULL AS lacks FROM records") == [
        {"line_error": None, "lacks": False}
    ]


# --- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("large.png", "RGB"),
        pytest.param("large alpha.png", "RGBA", marks=pytest.mark.slow),
        pytest.param("large.gif", "P", marks=pytest.mark.slow),
    ],
)
def test_a_picture_that_takes_more_memory_than_there_may_be_is_too_large_and_costs_nothing_else(
    tmp_path, command, name, mode
):
    pile, work = tmp_path / "pile", tmp_path / "work"
    for n in range(3):
        save(pile / f"{n}.jpg", drawing(n))
    PIL.Image.new(mode, (9500, 9500), 200 if mode == "P" else (200, 100, 50, 255)[: len(mode)]).save(
        pile / name, compress_level=1
    )
    command("ingest", work, pile, "--workers", 1, "--set", f"ingest.memory_limit={128 << 20}")
    assert answers(command, work, "SELECT file, error FROM records WHERE status <> 'ok'") == [
        {"file": name, "error": "too_large"}
    ]


def test_a_higher_memory_limit_looks_again_at_what_was_too_large(pile, tmp_path, command, calls, monkeypatch):
    work = tmp_path / "work"

    def starved(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("anidata.imaging.decode.decode", starved)
        command("ingest", work, pile)
    assert answers(command, work, "SELECT DISTINCT error FROM records") == [{"error": "too_large"}]
    command("ingest", work, pile, "--set", "ingest.memory_limit=8_000_000_000")
    assert answers(command, work, "SELECT error, count(*) AS n FROM records GROUP BY error ORDER BY n") == [
        {"error": "truncated", "n": 1},
        {"error": None, "n": 12},
    ]


def test_a_decoder_that_decodes_costs_its_picture_alone():
    """What Rust raises is no Exception: it ends the worker, on its way out of the picture's block."""
    with Engine(1) as engine:
        assert list(engine.map(decodes, [["a", "panic", "b"], ["c"]])) == [
            (["a", "panic", "b"], ["a", "crashed", "b"]),
            (["c"], ["c"]),
        ]


def test_a_picture_whose_worker_is_killed_from_outside_again_and_again_is_told_and_tried_again():
    with Engine(1) as engine:
        assert list(engine.map(decodes, [["a", "kill"]])) == [(["a", "kill"], ["a", "killed"])]
    assert "killed" in RETRIED


# --- leftovers ------------------------------------------------------------------------------------


def test_a_tar_that_only_a_killed_build_knew_goes_with_the_next_one(pile, tmp_path, command, inline):
    work = tmp_path / "work"
    command("run", "quickstart", work, pile)
    wanted = manifest(work)
    strange = work / "dataset" / "data" / "train-00000-of-00007.tar"
    for path in (
        strange,
        strange.with_name("mine-00000-of-00007.tar"),
        work / "dataset/metadata/train-00000-of-00001.parquet.part",
    ):
        path.write_bytes(b"half")
    [markers] = [p.parent for p in work.glob("shards/*/state.json")]
    (markers / "train-00000-of-00007.json").write_text('{"files": {"data/train-00000-of-00007.tar": null}}')
    (markers / "state.json").unlink()
    command("shard", work)
    names = {p.name for p in (work / "dataset").rglob("*")}
    assert strange.name not in names
    assert "mine-00000-of-00007.tar" in names
    assert not any(name.endswith(".part") for name in names)
    assert not (markers / "train-00000-of-00007.json").exists()
    assert manifest(work) == wanted


def test_a_build_that_stopped_half_way_is_never_taken_for_a_finished_one(
    pile, tmp_path, command, inline, monkeypatch
):
    """Even where its files have the old sizes, and the settings are the old ones again."""
    work = tmp_path / "work"
    command("run", "quickstart", work, pile)
    wanted, card = manifest(work), (work / "dataset/README.md").read_bytes()
    publish = storage.publish_json

    def stop(path: Path, value: object) -> None:
        if path.name == "manifest.json":
            raise StorageError("stopped")
        publish(path, value)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "publish_json", stop)
        with pytest.raises(StorageError, match="stopped"):
            command("shard", work, "--set", "shard.seed=7")
    assert (work / "dataset/README.md").stat().st_size == len(card)
    command("shard", work, "--set", "shard.seed=0")
    assert (manifest(work), (work / "dataset/README.md").read_bytes()) == (wanted, card)


def test_a_part_that_a_killed_worker_left_is_not_a_part(pile, tmp_path, command, inline):
    work = tmp_path / "work"
    command("run", "quickstart", work, pile)
    (work / "pairs/part-00009.tar").write_bytes(b"tar without table")
    command("extract-lineart", work, "--style", "canny")
    assert {p.stem for p in work.glob("pairs/*.tar")} == {p.stem for p in work.glob("pairs/*.parquet")}
