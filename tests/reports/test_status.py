"""Status says what is there and what is behind, and names a command that can be typed as it stands."""

import shlex
from pathlib import Path

import pytest

from drawings import drawing, save


@pytest.fixture
def work(tmp_path) -> Path:
    return tmp_path / "my work"


@pytest.fixture
def pile(tmp_path) -> Path:
    save(tmp_path / "my pile/1.png", drawing(1))
    return tmp_path / "my pile"


def test_the_next_command_typed_again_and_again_ends_in_a_data_set(work, pile, command, inline):
    command("ingest", work, pile)
    typed = []
    while (line := command("status", work, "--json")["next_command"]) and len(typed) < 9:
        typed.append(line)
        command(*shlex.split(line)[1:])
    assert typed == [f"anidata {name} '{work}'" for name in ("clean", "dedup", "extract-lineart", "shard")]
    assert (work / "dataset/manifest.json").is_file()
    status = command("status", work, "--json")
    assert set(status["stages"].values()) == {"up to date"}
    assert "up to date" in command("status", work)


def test_a_stage_behind_is_stale_and_one_that_never_ran_is_not_run(work, pile, command, inline):
    command("ingest", work, pile)
    command("clean", work)
    assert command("status", work, "--json")["stages"] == {
        "ingest": "up to date",
        "clean": "up to date",
        "dedup": "not run",
        "lineart": "not run",
        "shard": "not run",
    }
    save(pile / "2.png", drawing(2))
    command("ingest", work, pile)
    status = command("status", work, "--json")
    assert (status["stages"]["clean"], status["next_command"]) == ("stale", f"anidata clean '{work}'")
    rows = command("query", work, "SELECT file, keep, reasons FROM records ORDER BY file", "--format", "csv")
    # Nothing has been decided about the newcomer.
    assert rows == "file,keep,reasons\n1.png,true,[]\n2.png,,\n"


def test_an_ingest_under_way_is_named_with_its_sources(work, pile, command, inline):
    command("ingest", work, pile)
    next((work / "records").glob("*.parquet")).unlink()
    status = command("status", work, "--json")
    assert status["stages"]["ingest"] == "1 part open"
    assert status["next_command"] == f"anidata ingest '{work}' '{pile}'"


def test_status_counts_what_lies_on_the_disk_and_changes_nothing(work, pile, command, inline):
    command("run", "quickstart", work, pile)
    (work / "dataset/data/broken link").symlink_to("nowhere")
    before = {p: p.lstat().st_mtime_ns for p in work.rglob("*")}
    disk = command("status", work, "--json")["disk"]
    assert {p: p.lstat().st_mtime_ns for p in work.rglob("*")} == before
    for name, size in disk.items():
        assert size == sum(p.lstat().st_size for p in (work / name).rglob("*") if not p.is_dir())
    assert {"records", "images", "pairs", "dataset"} <= set(disk)
