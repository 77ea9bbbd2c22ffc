"""No false drop among unrelated art: what dedup drops and links of thousands of drawings, to judge by eye.

    python benchmarks/unrelated_art.py [--half check] [--min-side 64] [--look 40] [--random 80] [--again]

At 128 px it takes some minutes; the first time some GB come from Debian, npm and PyPI (art.py).

Runs `ingest` and `dedup` at their defaults over the pictures of one half of art.py (check, which nothing
was fitted to, or fit), both, or `old` (all that the packages of the first figures have, tiles and masks
included), those whose short side is at least so long, and counts drops and kept links by relation; those of
tiles, masks, lights and the like (PARTS), which are made alike, apart. Then it says how precise links are,
by the verdicts, and how many pairs nobody has judged. Beside the pictures it writes sheets of every dropped
picture with its keeper (dropped-*.png), of one kept link for each pair of folders and a sample of those
within one (linked-*.png), of kept links drawn evenly from all (--random 80: random-*.png), and pairs.csv with
the same pairs. Pictures are shown on white, as anidata sees them. --look 40 adds sheets of the 40 largest
clusters (clusters-*.png) and of twice 40 nearest misses: candidates called variant (near-variant-*.png) and
unrelated (near-unrelated-*.png) whose codes are least apart, then whose pixels are. --again counts what the
last run made, without a new one.

Whoever looks at the sheets writes a verdict on each pair: `copy` (right to drop), `drawing` (one drawing,
changed: right to link, wrong to drop), `other` (two drawings), `gray` (a person would hesitate to link them;
wrong to drop). With the judged CSV (columns a, b, verdict: keys) a later run counts what is wrong and what
nobody has judged, and its sheets show that alone. A copy's copy is judged with it. unrelated_art.csv beside
this script has a verdict by eye on every drop of `--half old --min-side 128`: 7 of 223 pictures are wrong
(3 frames of animations, two portraits, an icon and two files of a flag that differ in faint parts, the flags
of Indonesia and Monaco), and 135 of 277 parts; and on every drop and 100 random links of `--half check
--min-side 128 --random 100`: 18 of 98 pictures are wrong (5 mirrored tiles and a car with other shades, a
tile with another wave, 3 tinted pictures, two buses with another glass, 2 cars and a lamp with other lights,
a pole with more wires, the flags of Indonesia and Monaco, of Ireland and Ivory Coast), and 1 link is of two
drawings, the sevens of spades and clubs; 14 are gray (windows of one program, figures of one kit).
"""

import argparse
import csv
import hashlib
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from PIL import Image

import art
import art_archives as archives
import art_table
import pair_sheets
from anidata.catalog.catalog import Catalog
from anidata.workspace import open_workspace
from bench import ANIDATA, took

# tiles, masks, lights, map labels, stars of n points
PARTS = re.compile(r"/(terrain|river|masks|halo|l10n|planets|galaxy_decoration|stars\w*|gui|ui|themes)/")
OLD = re.compile(
    r"(wesnoth-1\.16-.*|freeorion-data|freecol|fillets-ng-data|lordsawar-data|openclipart-png|renpy-.*|"
    r"tuxpaint-stamps-default)$"
)
VERDICTS = Path(__file__).with_suffix(".csv")
HALVES = {"fit": ("fit",), "check": ("check",), "both": ("fit", "check")}
MEMBERS, NEAREST, SMALL = (
    12,
    2000,
    32,
)  # of a cluster on a sheet; pairs whose pixels are compared; px of those
COLUMNS = ("place", "kind", "relation", "distance", "a", "b", "verdict", "file_a", "file_b")

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--half", choices=(*HALVES, "old"), default="check")
    parser.add_argument("--min-side", type=int, default=64, help="px of the short side")
    parser.add_argument("--sample", type=int, default=60, help="kept links within a folder that are shown")
    parser.add_argument("--verdicts", type=Path, default=VERDICTS, help="a judged pairs.csv")
    parser.add_argument(
        "--look", type=int, default=0, help="largest clusters and nearest misses that are shown"
    )
    parser.add_argument(
        "--random", type=int, default=0, help="kept links drawn evenly from all that are shown"
    )
    parser.add_argument("--again", action="store_true", help="count what the last run made")
    args = parser.parse_args()
    home = archives.ART / f"{args.half}-{args.min_side}"
    pile, work = home / "pictures", home / "work"
    if not args.again:
        _pile(pile, _sources(args.half), args.min_side)
        _run(work, pile)
    dropped, linked = _pairs(work, pile)
    judged = verdicts_of(args.verdicts)
    _tell("dropped", dropped, judged)
    _tell("linked and kept", linked, judged)
    say_precision("drops and links", dropped + linked, judged)
    drawn = shuffled(linked)[: args.random]
    if drawn:
        say_precision("links drawn at random", drawn, judged)
    _write(home, {"dropped": dropped, "linked": _chosen(linked, args.sample), "random": drawn}, judged)
    if args.look:
        _look(home, pile, args.look)


def _run(work: Path, pile: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    ingest = took([*ANIDATA, "ingest", str(work), str(pile), "--workers", "2"])
    dedup = took([*ANIDATA, "dedup", str(work), "--workers", "2"])
    print(f"ingest {ingest.cpu:.0f} CPU s, dedup {dedup.cpu:.0f} CPU s")


# --- pictures -----------------------------------------------------------------------------------------------


def _sources(half: str) -> list[Path]:
    """The folders of packages."""
    if half == "old":
        return [archives.unpacked(package) for package in art_table.read() if OLD.match(package.package)]
    return [folder for packages in art.halves(HALVES[half]).values() for folder in packages.values()]


def _pile(folder: Path, sources: list[Path], min_side: int) -> Path:
    """A folder a package, of hard links to its pictures that are large enough."""
    shutil.rmtree(folder, ignore_errors=True)
    for source in sources:
        for path in filter(is_picture, art.files(source)):
            if short_side(path) >= min_side:
                link = folder / source.name / path.relative_to(source)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.hardlink_to(path)
    print(", ".join(f"{p.name} {len(art.files(p))}" for p in sorted(folder.iterdir())))
    return folder


def is_picture(path: Path) -> bool:
    return path.suffix.lower() in art.SUFFIXES and not path.is_symlink()


def short_side(path: Path) -> int:
    """px; 0 of what is no picture, or one of so many pixels that anidata refuses it."""
    with suppress(OSError), Image.open(path) as image:
        return min(image.size) if image.width * image.height <= art.PIXELS else 0
    return 0


# --- pairs --------------------------------------------------------------------------------------------------


PICTURES = """
    SELECT key, min(uri) AS uri, any_value(relation) AS relation, any_value(keeper) AS keeper,
        any_value(keep) AS keep, any_value(cluster) AS cluster, any_value(distance) AS distance,
        count(*) AS times
    FROM records WHERE key IS NOT NULL GROUP BY key
"""
LINKS = "SELECT a, b, relation, distance FROM _links WHERE relation <> 'unrelated' ORDER BY a, b"
MISSES = f"""
    SELECT a, b, relation, distance FROM _links WHERE relation = '{{}}'
    ORDER BY distance, a, b LIMIT {NEAREST}
"""


def _pairs(work: Path, pile: Path) -> tuple[list[Row], list[Row]]:
    """The dropped with their keepers, and the kept pairs that are linked.

    Each a, b, relation, distance, cluster and the two files.
    """
    with Catalog(open_workspace(work)) as views:
        pictures, links = views.select(PICTURES), views.select(LINKS).to_pylist()
    known = {row["key"]: row for row in pictures.to_pylist()}
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
        row |= {f"file_{side}": file_of(known[row[side]]["uri"], pile) for side in "ab"}
    return sorted(dropped, key=lambda row: (row["relation"], row["file_b"], row["file_a"])), linked


def file_of(uri: str, pile: Path) -> str:
    return unquote(uri.removeprefix(f"{pile.resolve().as_uri()}/"))


def _chosen(linked: list[Row], sample: int) -> list[Row]:
    """Choose links: across folders one for each pair of them, within one a sample, one a cluster.

    Which ones, a hash says.
    """
    chosen: dict[Any, Row] = {}
    for row in shuffled(linked):
        folders = frozenset(Path(row[f"file_{side}"]).parent for side in "ab")
        chosen.setdefault(folders if len(folders) == 2 else row["cluster"], row)
    across = {key: row for key, row in chosen.items() if isinstance(key, frozenset)}
    return list(across.values()) + [row for key, row in chosen.items() if key not in across][:sample]


def shuffled(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: hashlib.sha256(f"{row['a']} {row['b']}".encode()).digest())


# --- verdicts -----------------------------------------------------------------------------------------------


def verdicts_of(path: Path) -> dict[frozenset[str], str]:
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


def say_precision(what: str, rows: list[Row], judged: dict[frozenset[str], str]) -> None:
    """Say how many that are judged are of two drawings, and how many nobody has judged."""
    verdicts = Counter(judged.get(frozenset((row["a"], row["b"])), "") for row in rows)
    seen = verdicts.total() - verdicts[""]
    if seen:
        wrong, gray = verdicts["other"], verdicts["gray"]
        print(f"{what}: {wrong} wrong and {gray} gray of {seen} judged, precision {1 - wrong / seen:.4f}")
    print(f"{what}: {verdicts['']} of {len(rows)} not judged")


def _write(home: Path, kinds: dict[str, list[Row]], judged: dict[frozenset[str], str]) -> None:
    """pairs.csv, and sheets of those that aren't judged, with the place of each on them."""
    for old in home.glob("*-*.png"):
        old.unlink()
    with (home / "pairs.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        out.writeheader()
        for kind, rows in kinds.items():
            new = [row for row in rows if frozenset((row["a"], row["b"])) not in judged]
            cells = pair_sheets.write(home, kind, new)
            cell_of = {id(row): cell for row, cell in zip(new, cells, strict=True)}
            for row in rows:
                verdict = judged.get(frozenset((row["a"], row["b"])), "")
                out.writerow(row | {"kind": kind, "place": cell_of.get(id(row), ""), "verdict": verdict})


# --- clusters and near misses -------------------------------------------------------------------------------


def _look(home: Path, pile: Path, count: int) -> None:
    """Write sheets of the largest clusters and of the nearest misses."""
    with Catalog(open_workspace(home / "work")) as views:
        pictures = views.select(PICTURES).to_pylist()
        misses = {kind: views.select(MISSES.format(kind)).to_pylist() for kind in ("variant", "unrelated")}
    files = {row["key"]: file_of(row["uri"], pile) for row in pictures}
    clusters: dict[str, list[str]] = defaultdict(list)
    for row in pictures:
        clusters[row["cluster"]].append(row["key"])
    largest = sorted(clusters.values(), key=lambda keys: (-len(keys), min(keys)))[:count]
    groups = [[files[key] for key in sorted(keys)] for keys in largest]
    pair_sheets.write_groups(home, "clusters", groups, MEMBERS)
    for kind, rows in misses.items():
        named = [row | {f"file_{side}": files[row[side]] for side in "ab"} for row in rows]
        list(pair_sheets.write(home, f"near-{kind}", _nearest(named, pile)[:count]))
    print(f"{len(largest)} largest clusters: {', '.join(str(len(keys)) for keys in largest)}")


def _nearest(rows: list[Row], pile: Path) -> list[Row]:
    """The pairs, those whose codes are least apart first, and of these those whose pixels are."""
    small = {file: _small(pile / file) for row in rows for file in (row["file_a"], row["file_b"])}
    return sorted(rows, key=lambda row: (row["distance"], _apart(small[row["file_a"]], small[row["file_b"]])))


def _small(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        page = Image.new("RGBA", (SMALL, SMALL), "white")
        page.alpha_composite(image.convert("RGBA").resize((SMALL, SMALL), Image.Resampling.BOX))
    return np.asarray(page.convert("L"), np.float32)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference in gray levels, of the picture or its mirror image."""
    return float(min(np.abs(one - other).mean(), np.abs(one - other[:, ::-1]).mean()))


if __name__ == "__main__":
    main()
