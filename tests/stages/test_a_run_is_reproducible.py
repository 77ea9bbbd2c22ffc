"""The same inputs and recipe give the same manifest.

Whatever the workers, the order, or the pieces in which they came.
"""

import json
import random
import shutil
from pathlib import Path

import cv2

from anidata.sources import folder as folder_source
from drawings import drawing, save


def manifest(work: Path) -> bytes:
    return (work / "dataset" / "manifest.json").read_bytes()


def test_one_two_and_four_workers_give_the_same_manifest(pile, tmp_path, command):
    manifests = set()
    for workers in (1, 2, 4):
        command("run", "quickstart", tmp_path / f"work{workers}", pile, "--workers", workers)
        manifests.add(manifest(tmp_path / f"work{workers}"))
    assert len(manifests) == 1


def test_a_shuffled_listing_gives_the_same_manifest(pile, tmp_path, command, inline, monkeypatch):
    command("run", "quickstart", tmp_path / "sorted", pile, "--set", "ingest.part_size=3")
    listed = folder_source.records

    def shuffled(text, options):
        records = list(listed(text, options))
        random.Random(7).shuffle(records)
        return iter(records)

    monkeypatch.setattr(folder_source, "records", shuffled)
    command("run", "quickstart", tmp_path / "shuffled", pile, "--set", "ingest.part_size=3")
    assert manifest(tmp_path / "sorted") == manifest(tmp_path / "shuffled")


def test_a_moved_workspace_with_the_same_source_gives_the_same_manifest(pile, tmp_path, command, inline):
    command("run", "quickstart", tmp_path / "a", pile)
    command("run", "quickstart", tmp_path / "far" / "away" / "b", pile)
    assert manifest(tmp_path / "a") == manifest(tmp_path / "far" / "away" / "b")


def test_running_again_does_nothing_and_says_so(pile, tmp_path, command, calls):
    work = tmp_path / "work"
    command("run", "quickstart", work, pile)
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(work.rglob("*")) if p.is_file()}
    calls.clear()
    assert "Nothing to do" in command("run", "quickstart", work, pile)
    assert not calls
    assert before == {
        p: (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(work.rglob("*")) if p.is_file()
    }


def test_pictures_added_later_give_the_data_set_of_one_run_over_all(pile, tmp_path, command, calls):
    command("run", "quickstart", tmp_path / "whole", pile)
    late = [pile / name for name in ("02.png", "07.png", "copy of 03.jpg")]
    away = tmp_path / "away"
    away.mkdir()
    for path in late:
        shutil.move(path, away / path.name)
    work = tmp_path / "grown"
    command("run", "quickstart", work, pile)
    for path in late:
        shutil.move(away / path.name, path)
    calls.clear()
    command("run", "quickstart", work, pile)
    new_pairs, looked_at = 2, 2  # the copy and its original, side by side
    assert calls["decode"] - _on_the_sheet(command, work) == len(late) + new_pairs + looked_at
    assert calls["encode_color"] == calls["encode_line"] == new_pairs
    assert manifest(work) == manifest(tmp_path / "whole")


def test_the_bytes_of_a_copy_are_decoded_once(pile, tmp_path, command, calls):
    for n in range(5):
        shutil.copy(pile / "00.png", pile / f"again {n}.png")
    command("ingest", tmp_path / "work", pile)
    assert calls["decode"] == 13
    funnel = command("clean", tmp_path / "work", "--json")["funnel"]
    assert (funnel["found"], funnel["repeated"]) == (18, 5)


def test_a_copy_that_joins_a_cluster_later_follows_its_split(tmp_path, command, inline):
    pile, work = tmp_path / "pile", tmp_path / "work"
    for n in range(8):
        save(pile / f"{n}.jpg", drawing(n), 80)
    settings = (
        "--set",
        "shard.splits={train = 0.5, test = 0.5}",
        "--set",
        "dedup.drop=[]",
        "--set",
        "clean.min_sharpness=0",
    )
    command("run", "quickstart", work, pile, *settings)
    before = _splits(command, work)
    for n in range(8):  # larger copies: they become the keepers
        save(pile / f"{n} large.png", cv2.resize(drawing(n), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
    command("run", "quickstart", work, pile, *settings)
    after = _splits(command, work)
    assert len(after) == 16
    assert all(after[f"{n}.jpg"] == after[f"{n} large.png"] == before[f"{n}.jpg"] for n in range(8))


def _splits(command, work):
    rows = json.loads(
        command("query", work, "SELECT file, split FROM records WHERE split IS NOT NULL", "--format", "json")
    )
    return {r["file"]: r["split"] for r in rows}


def _on_the_sheet(command, work):
    """Pictures that the contact sheet opens.

    Two files of each pair shown, the readable rejected, the members of clusters.
    """
    several = "SELECT cluster FROM images GROUP BY cluster HAVING count(*) > 1"
    readable = "SELECT count(*) AS n FROM records WHERE status = 'ok'"
    kept, rejected, clustered = (
        json.loads(command("query", work, sql, "--format", "json"))[0]["n"]
        for sql in (
            "SELECT count(*) AS n FROM images WHERE keep",
            f"{readable} AND NOT keep AND reasons[1] <> 'duplicate'",
            f"SELECT count(*) AS n FROM images WHERE cluster IN ({several})",
        )
    )
    return 2 * min(kept, 12) + rejected + clustered
