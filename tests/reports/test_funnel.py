"""The funnel tells the fate of every sighting, and its counts add up."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from anidata.catalog.catalog import Catalog
from anidata.reports import funnel
from anidata.reports.funnel import Funnel
from anidata.workspace import open_workspace
from drawings import drawing, save

FATES = {
    "found": 15,
    "repeated": 3,
    "failed": {"truncated": 2, "empty": 1, "not_an_image": 1},
    "rejected": {"min_side": 2, "monochrome": 1},
    "duplicates": {"exact": 1, "flip": 1, "reencoded": 1},
    "kept": 2,
}


def fill(folder: Path) -> Path:
    """Every fate, with a few repetitions."""
    first = save(folder / "kept 1.png", drawing(1))
    save(folder / "kept 2.png", drawing(2))
    save(folder / "tiny 1.png", drawing(3, 40, 40))
    save(folder / "tiny 2.png", drawing(4, 44, 44))
    gray = drawing(5).mean(axis=2, keepdims=True).astype(np.uint8)
    save(folder / "gray.png", np.repeat(gray, 3, axis=2))
    save(folder / "exact.bmp", drawing(1))
    save(folder / "flip.png", np.ascontiguousarray(drawing(2)[:, ::-1]))
    save(folder / "smaller.jpg", cv2.resize(drawing(1), None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA))
    whole = first.read_bytes()
    (folder / "cut 1.png").write_bytes(whole[: len(whole) // 2])
    (folder / "cut 2.png").write_bytes(whole[: len(whole) // 3])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_bytes(b"this is no picture, however it is called")
    for name in ("kept 1.png", "tiny 1.png", "cut 1.png"):
        shutil.copy(folder / name, folder / f"again {name}")
    return folder


@pytest.fixture
def counted(tmp_path, command, inline) -> Iterator[tuple[dict, dict, Path]]:
    """The funnel after ingest alone, and after the whole run."""
    pile, work = fill(tmp_path / "pile"), tmp_path / "work"
    early = command("ingest", work, pile, "--json")["funnel"]
    late = command("run", "quickstart", work, pile, "--json")["funnel"]
    return early, late, work


def test_each_fate_is_counted_by_its_reason_and_all_of_them_add_up(counted):
    early, late, work = counted
    assert {name: n for name, n in late.items() if name not in ("samples", "pairs")} == FATES
    assert sum(late["samples"].values()) == late["pairs"] == late["kept"]
    for counts in (early, late):
        parts = [counts[name].values() for name in ("failed", "rejected", "duplicates")]
        assert counts["found"] == counts["repeated"] + counts["kept"] + sum(map(sum, parts))
    # what nothing has been decided about counts as kept so far
    assert early == FATES | {"rejected": {}, "duplicates": {}, "samples": {}, "pairs": 0, "kept": 8}
    with Catalog(open_workspace(work)) as views:
        assert funnel.measure(views).to_json() == late


def test_a_picture_found_in_several_places_is_kept_once(tmp_path, command, inline):
    save(tmp_path / "pile/a/1.png", drawing(1))
    for name in ("b", "c", "d"):
        shutil.copytree(tmp_path / "pile/a", tmp_path / "pile" / name)
    counts = command("run", "quickstart", tmp_path / "work", tmp_path / "pile", "--json")["funnel"]
    assert (counts["found"], counts["repeated"], counts["kept"]) == (4, 3, 1)


def test_an_empty_workspace_has_an_empty_funnel(tmp_path, command, inline):
    (tmp_path / "pile").mkdir()
    counts = command("ingest", tmp_path / "work", tmp_path / "pile", "--json")["funnel"]
    assert counts == {
        "found": 0,
        "repeated": 0,
        "failed": {},
        "rejected": {},
        "duplicates": {},
        "kept": 0,
        "pairs": 0,
        "samples": {},
    }


def test_the_table_tells_each_step_and_its_reasons():
    counts = Funnel(
        found=12_345,
        repeated=45,
        failed={"truncated": 200, "empty": 100},
        rejected={"min_side": 1_000},
        duplicates={"flip": 1_000},
        kept=10_000,
        pairs=10_000,
        samples={"train": 9_000, "val": 1_000},
    )
    console = Console(width=120)
    with console.capture() as shown:
        console.print(funnel.table(counts))
    assert [" ".join(line.split()) for line in shown.get().splitlines()] == [
        "found 12,345",
        "seen before, same bytes 45",
        "failed 300 truncated 200 · empty 100",
        "rejected 1,000 min_side 1,000",
        "duplicates dropped 1,000 flip 1,000",
        "kept 10,000",
        "pairs 10,000",
        "samples 10,000 train 9,000 · val 1,000",
    ]
