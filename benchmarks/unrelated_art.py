"""No false drop among unrelated art: what dedup drops and links of thousands of drawings, to judge by eye.

    python benchmarks/unrelated_art.py [--min-side 64] [--sample 60] [--verdicts CSV]

At 128 px it takes 2 minutes; the first time 1 GB comes from Debian.

Unpacks the art of Debian packages (bookworm) into .benchmarks/art/, runs `ingest` and `dedup` at their
defaults over the pictures whose short side is at least so long, and counts drops and kept links by relation;
those of tiles, masks, lights and the like (PARTS), which are made alike, apart. Beside the pictures it writes
sheets of every dropped picture with its keeper (dropped-*.png), of one kept link for each pair of folders and
a sample of those within one (linked-*.png), and pairs.csv with the same pairs. Pictures are shown on white,
as anidata sees them.

Whoever looks at the sheets writes a verdict on each pair: `copy` (right to drop), `drawing` (one drawing,
changed: right to link, wrong to drop), `other` (two drawings), `gray` (a person would hesitate to link them;
wrong to drop). With the judged CSV (columns a, b, verdict: keys) a later run counts what is wrong and what
nobody has judged, and its sheets show that alone. A copy's copy is judged with it. unrelated_art.csv beside
this script has a verdict by eye on every drop of `--min-side 128`: 7 of 223 pictures are wrong (3 frames of
animations, two portraits, an icon and two files of a flag that differ in faint parts, the flags of Indonesia
and Monaco), and 135 of 277 parts.

Licenses, by each package's copyright file: see PACKAGES.
"""

import argparse
import csv
import hashlib
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from PIL import Image

import pair_sheets
from anidata.catalog.catalog import Catalog
from anidata.workspace import open_workspace
from bench import ANIDATA, took
from peers import CACHE

CAMPAIGNS = (
    "did",
    "dm",
    "dw",
    "ei",
    "httt",
    "l",
    "low",
    "nr",
    "sof",
    "sota",
    "sotbe",
    "thot",
    "trow",
    "tsg",
    "ttb",
    "utbs",
)
PACKAGES = {
    "wesnoth-1.16-data": "GPL-2+",  # portraits, scenes, animated units, terrain
    **{f"wesnoth-1.16-{name}": "GPL-2+" for name in CAMPAIGNS},
    "freeorion-data": "CC-BY-SA-3.0",  # species, buildings, ships, planets
    "freecol": "GPL-2+",
    "fillets-ng-data": "GPL-2",  # scenes of an adventure, animated
    "lordsawar-data": "GPL-3+",
    "openclipart-png": "public domain",  # flags, cards, signs: alike on purpose
    "renpy-demo": "Expat",  # sprites of visual novels
    "renpy-thequestion": "Expat",
    "tuxpaint-stamps-default": "GPL-2",  # drawings and photos
}
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}
ART = CACHE / "art"
MOST = 100_000_000  # px
# tiles, masks, lights, map labels, stars of n points
PARTS = re.compile(r"/(terrain|river|masks|halo|l10n|planets|galaxy_decoration|stars\w*|gui|ui|themes)/")
Image.MAX_IMAGE_PIXELS = None
COLUMNS = ("place", "kind", "relation", "distance", "a", "b", "verdict", "file_a", "file_b")

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--min-side", type=int, default=64, help="px of the short side")
    parser.add_argument("--sample", type=int, default=60, help="kept links within a folder that are shown")
    parser.add_argument(
        "--verdicts", type=Path, default=Path(__file__).with_suffix(".csv"), help="a judged pairs.csv"
    )
    args = parser.parse_args()
    home = ART / f"from-{args.min_side}"
    pile, work = _pile(home / "pictures", args.min_side), home / "work"
    shutil.rmtree(work, ignore_errors=True)
    ingest = took([*ANIDATA, "ingest", str(work), str(pile), "--workers", "2"])
    dedup = took([*ANIDATA, "dedup", str(work), "--workers", "2"])
    print(f"ingest {ingest.cpu:.0f} CPU s, dedup {dedup.cpu:.0f} CPU s")
    dropped, linked = _pairs(work, pile)
    judged = _judged(args.verdicts)
    _tell("dropped", dropped, judged)
    _tell("linked and kept", linked, judged)
    _write(home, dropped, _chosen(linked, args.sample), judged)


# --- pictures -----------------------------------------------------------------------------------------------


def _pile(folder: Path, min_side: int) -> Path:
    """A folder a package, of hard links to its pictures that are large enough."""
    if not folder.exists():
        for package in PACKAGES:
            unpacked = _unpacked(package)
            for path in sorted(unpacked.rglob("*")):
                if _is_file(path) and _short_side(path) >= min_side:
                    link = folder / package / path.relative_to(unpacked)
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.hardlink_to(path)
    print(", ".join(f"{p.name} {sum(f.is_file() for f in p.rglob('*'))}" for p in sorted(folder.iterdir())))
    return folder


def _is_file(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_symlink()


def _unpacked(package: str) -> Path:
    """The files of a package, by Debian's own programs."""
    home, debs = ART / "unpacked" / package, ART / "debs"
    if not home.exists():
        debs.mkdir(parents=True, exist_ok=True)
        if not list(debs.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "download", "--quiet", package], check=True, cwd=debs)  # noqa: S607
        deb = next(debs.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(deb), str(home)], check=True)  # noqa: S607
    return home


def _short_side(path: Path) -> int:
    """px; 0 of what is no picture, or one of so many pixels that anidata refuses it."""
    with suppress(OSError), Image.open(path) as image:
        return min(image.size) if image.width * image.height <= MOST else 0
    return 0


# --- pairs --------------------------------------------------------------------------------------------------


PICTURES = """
    SELECT key, min(uri) AS uri, any_value(relation) AS relation, any_value(keeper) AS keeper,
        any_value(keep) AS keep, any_value(cluster) AS cluster, any_value(distance) AS distance,
        count(*) AS times
    FROM records WHERE key IS NOT NULL GROUP BY key
"""
LINKS = "SELECT a, b, relation, distance FROM _links WHERE relation <> 'unrelated' ORDER BY a, b"


def _pairs(work: Path, pile: Path) -> tuple[list[Row], list[Row]]:
    """The dropped with their keepers, and the kept pairs that are linked.

    Each a, b, relation, distance, cluster and the two files.
    """
    with Catalog(open_workspace(work)) as views:
        pictures, links = views.select(PICTURES), views.select(LINKS).to_pylist()
    known = {row["key"]: row for row in pictures.to_pylist()}
    where = f"{pile.absolute().as_uri()}/"
    times, clusters = sum(row["times"] for row in known.values()), {row["cluster"] for row in known.values()}
    print(f"{len(known)} distinct pictures of {times}, {len(clusters)} clusters")
    dropped = [
        row | {"a": row["key"], "b": row["keeper"]}
        for row in known.values()
        if not row["keep"] and row["relation"]
    ]
    linked = [
        link | {"cluster": known[link["a"]]["cluster"]}
        for link in links
        if known[link["a"]]["keep"] and known[link["b"]]["keep"]
    ]
    for row in dropped + linked:
        row |= {f"file_{side}": unquote(known[row[side]]["uri"].removeprefix(where)) for side in "ab"}
    return sorted(dropped, key=lambda row: (row["relation"], row["file_b"], row["file_a"])), linked


def _chosen(linked: list[Row], sample: int) -> list[Row]:
    """Of the links across folders one for each pair of folders, of those within one a sample, one a cluster.

    Which ones, a hash says.
    """
    chosen: dict[Any, Row] = {}
    for row in sorted(linked, key=lambda row: hashlib.sha256(f"{row['a']} {row['b']}".encode()).digest()):
        folders = frozenset(Path(row[f"file_{side}"]).parent for side in "ab")
        chosen.setdefault(folders if len(folders) == 2 else row["cluster"], row)
    across = {key: row for key, row in chosen.items() if isinstance(key, frozenset)}
    return list(across.values()) + [row for key, row in chosen.items() if key not in across][:sample]


# --- verdicts -----------------------------------------------------------------------------------------------


def _judged(path: Path) -> dict[frozenset[str], str]:
    """Pair of keys → verdict; copies of one picture are copies of each other."""
    with path.open(newline="") as file:
        rows = [(row["a"], row["b"], row["verdict"]) for row in csv.DictReader(file) if row["verdict"]]
    group: dict[str, set[str]] = defaultdict(set)
    for a, b, verdict in rows:
        if verdict == "copy":
            merged = {a, b} | group[a] | group[b]
            group |= dict.fromkeys(merged, merged)
    copies = {frozenset((a, b)): "copy" for a, others in group.items() for b in others - {a}}
    return copies | {frozenset((a, b)): verdict for a, b, verdict in rows}


def _tell(kind: str, rows: Iterable[Row], judged: dict[frozenset[str], str]) -> None:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        is_part = any(PARTS.search(row[f"file_{side}"]) for side in "ab")
        verdict = judged.get(frozenset((row["a"], row["b"])), "not judged")
        counts["parts" if is_part else "pictures", row["relation"]][verdict] += 1
    for (what, relation), verdicts in sorted(counts.items()):
        words = f" ({', '.join(f'{name} {n}' for name, n in verdicts.most_common())})" if judged else ""
        print(f"{what}, {kind}: {relation} {verdicts.total()}{words}")


def _write(home: Path, dropped: list[Row], linked: list[Row], judged: dict[frozenset[str], str]) -> None:
    """pairs.csv, and sheets of those that aren't judged, with the place of each on them."""
    for old in home.glob("*-*.png"):
        old.unlink()
    with (home / "pairs.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        out.writeheader()
        for kind, rows in (("dropped", dropped), ("linked", linked)):
            new = [row for row in rows if frozenset((row["a"], row["b"])) not in judged]
            cells = pair_sheets.write(home, kind, new)
            cell_of = {id(row): cell for row, cell in zip(new, cells, strict=True)}
            for row in rows:
                verdict = judged.get(frozenset((row["a"], row["b"])), "")
                out.writerow(row | {"kind": kind, "place": cell_of.get(id(row), ""), "verdict": verdict})


if __name__ == "__main__":
    main()
