"""Links among pictures that nobody copied: how many pairs are looked at and linked, and sheets of the linked.

HOME/pictures is the pile, HOME/work the workspace; pairs.csv lists the links (a verdict
written there is counted by the next run that is given the file), linked-*.png show them.
"""

import csv
import itertools
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import art
import art_table
import pair_sheets
import unrelated_art
from anidata.catalog import schemas
from anidata.catalog.catalog import Catalog
from anidata.workspace import open_workspace
from bench import ANIDATA, took

SHORT = 64  # px of the short side of a picture, at least
MOST = 2_100  # links on sheets; all are in pairs.csv
COLUMNS = ("cell", "relation", "distance", "cluster", "a", "b", "verdict", "file_a", "file_b")
PICTURES = "SELECT key, min(uri) AS uri, any_value(cluster) AS cluster FROM records GROUP BY key"
PAIRS = """
    SELECT a, b, distance, coalesce(relation, 'not asked') AS relation FROM _links ORDER BY a, b
"""
PLACED = "SELECT count(*) AS pairs FROM _place_edges"
Row = dict[str, Any]


def lay(pile: Path, half: str, count: int, folder: Path) -> Path:
    """So many pictures of a half, of each package in turn, as hard links; folder: of the halves."""
    packages = sorted(path for path in (folder / half).iterdir() if path.is_dir())
    return link(pile, itertools.islice(in_turn(packages), count))


def in_turn(packages: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Name below the pile, and file, of each package in turn, in the order of a hash of the names."""
    queues = [sorted(art.files(one), key=lambda path: art_table.hashed(path.name)) for one in packages]
    for row in itertools.zip_longest(*queues):
        for package, path in zip(packages, row, strict=True):
            if path and unrelated_art.is_picture(path) and unrelated_art.short_side(path) >= SHORT:
                yield f"{package.name}/{path.relative_to(package).as_posix()}", path


def link(pile: Path, files: Iterable[tuple[str, Path]]) -> Path:
    """The pile anew, with these files."""
    shutil.rmtree(pile, ignore_errors=True)
    for name, path in files:
        at = pile / name
        at.parent.mkdir(parents=True, exist_ok=True)
        at.hardlink_to(path)
    return pile


def run(home: Path, settings: Sequence[str]) -> None:
    """Ingest and dedup the pile; settings: as after --set."""
    work, words = home / "work", [word for setting in settings for word in ("--set", setting)]
    shutil.rmtree(work, ignore_errors=True)
    ingest = took([*ANIDATA, "ingest", str(work), str(home / "pictures"), "--workers", "1", *words])
    dedup = took([*ANIDATA, "dedup", str(work), "--workers", "1", *words])
    print(f"ingest {ingest.cpu:.0f} CPU s, dedup {dedup.cpu:.0f} CPU s, peak {dedup.peak:.0f} MB")


def tell(home: Path, verdicts: Sequence[Path] = ()) -> list[Row]:
    """Say what was looked at and linked, write the links, and return them."""
    with Catalog(open_workspace(home / "work")) as views:
        pictures, pairs = views.select(PICTURES).to_pylist(), views.select(PAIRS).to_pylist()
        by_places = views.select(PLACED).to_pylist()[0] if "place_edges" in schemas.PARTED else None
    known = {row["key"]: row for row in pictures}
    asked = Counter(row["relation"] for row in pairs)
    linked = [row for row in pairs if row["relation"] not in {"unrelated", "not asked"}]
    for row in linked:
        row["cluster"] = known[row["a"]]["cluster"]
        row |= {f"file_{s}": unrelated_art.file_of(known[row[s]]["uri"], home / "pictures") for s in "ab"}
    judged: dict[frozenset[str], str] = {}
    for path in (unrelated_art.VERDICTS, *verdicts):
        judged |= unrelated_art.verdicts_of(path)
    print(f"{len(known):,} pictures, {_clusters(pictures)}")
    print(f"{len(pairs):,} candidates, {len(pairs) / len(known):.2f} a picture: {_counts(asked)}")
    if by_places:
        share = by_places["pairs"] / len(known)
        print(f"{by_places['pairs']:,} of them by places, {share:.2f} a picture")
    print(f"links by packages: {_packages(linked)}")
    unrelated_art.say_precision("links", linked, judged)
    write(home, linked, judged)
    return linked


def _clusters(pictures: Sequence[Row]) -> str:
    sizes = Counter(Counter(row["cluster"] for row in pictures).values())
    largest = ", ".join(str(size) for size in sorted(sizes.elements(), reverse=True)[:10])
    return f"{sizes.total():,} clusters, the largest of {largest}"


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common()) or "none"


def _packages(linked: Sequence[Row]) -> str:
    """How many links are within one package, and the packages with most."""
    pairs = [{row[f"file_{side}"].split("/")[0] for side in "ab"} for row in linked]
    within = Counter(name for names in pairs if len(names) == 1 for name in names)
    most = ", ".join(f"{name} {count}" for name, count in within.most_common(8))
    return f"{within.total()} within one ({most or 'none'}), {len(pairs) - within.total()} between two"


def write(home: Path, linked: Sequence[Row], judged: dict[frozenset[str], str]) -> None:
    """pairs.csv, and sheets of what isn't judged, by relation."""
    for old in home.glob("linked-*.png"):
        old.unlink()
    rows = sorted(unrelated_art.shuffled(list(linked)), key=lambda row: row["relation"])
    new = [row for row in rows if frozenset((row["a"], row["b"])) not in judged][:MOST]
    cells = {id(row): cell for row, cell in zip(new, pair_sheets.write(home, "linked", new), strict=True)}
    with (home / "pairs.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        out.writeheader()
        for row in rows:
            verdict = judged.get(frozenset((row["a"], row["b"])), "")
            out.writerow(row | {"cell": cells.get(id(row), ""), "verdict": verdict})
