"""A confusion matrix of the relations of labelled variants over the transforms of compare_duplicates.py.

    python benchmarks/found_relations.py WORK LABELS_CSV

WORK: after ingest and dedup of what make_dups.py made; it takes seconds.

Rows: how a variant was made. Columns: the relation of the pair of it and its original; `through others`: no
such pair, but in one cluster; `apart`: neither. Right: the share of the relations that the transform may
have. The row `negative` is about the pictures that look like no original; `expression` about the pairs of one
sprite with another face, both from the pictures' own labels. Of candidate pairs that no decision depended on,
dedup has asked for no relation: these are asked for here.
"""

import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from anidata.catalog.catalog import Catalog
from anidata.duplicates import alignment
from anidata.imaging.reopen import Reader
from anidata.stages.dedup import verify
from anidata.workspace import open_workspace
from bench import SHARED

COLUMNS = ("exact", "reencoded", "flip", "turn", "crop", "recolor", "variant", "through others", "apart")
RIGHT = {  # how the name of a transform begins → the relations that are right
    **dict.fromkeys(("jpeg", "resize", "webp", "gif", "bright", "contrast", "border"), ("reencoded",)),
    **dict.fromkeys(("crop", "letterbox", "rotate", "combo"), ("crop",)),
    **dict.fromkeys(("hue", "grayscale"), ("recolor",)),
    "hflip": ("flip",),
    "watermark": ("reencoded", "variant"),
    "negative": ("apart",),
    "expression": ("variant", "through others"),
}

UNRELATED = {"relation": "unrelated"}
LIMITS = 1 << 28, 100_000_000  # bytes and pixels of a picture

Matrix = dict[str, Counter[str]]  # transform → relation → variants


def matrix(work: Path, labels: Path) -> Matrix:
    """Count the relations in a workspace."""
    workspace = open_workspace(work)
    with Catalog(workspace) as views:
        records = views.select("SELECT file, key, cluster FROM records").to_pylist()
        links = views.select("SELECT a, b, mirrored, turned, relation FROM _links").to_pylist()
        located = views.select("SELECT key, places FROM _places").to_pylist()
    cluster = {row["file"]: (row["key"], row["cluster"]) for row in records}
    places = {row["key"]: row["places"] for row in located}
    candidates = {frozenset((link["a"], link["b"])): link for link in links}
    reader = Reader(workspace, *LIMITS)

    @cache
    def seen(key: str) -> alignment.View:
        return alignment.View(alignment.thumbnail(reader.decode(places[key], key).rgb))

    def relation(key: str, other: str) -> str:
        link = candidates.get(frozenset((key, other)), UNRELATED)
        if link["relation"]:
            return link["relation"]
        a, b = link["a"], link["b"]
        whole = partial(verify.both, reader, places, a, b)
        return verify.pair_relation(seen(a), seen(b), link["mirrored"], whole, link["turned"])

    counts: Matrix = defaultdict(Counter)
    for transform, file, others in _asked(labels):
        (key, home), compared = cluster[file], [cluster[other] for other in others]
        direct = [relation(key, other) for other, _ in compared]
        indirect = "through others" if home in [there for _, there in compared] else "apart"
        counts[transform][next((one for one in direct if one != "unrelated"), indirect)] += 1
    return counts


def _asked(labels: Path) -> Iterator[tuple[str, str, list[str]]]:
    """(transform, file, the files it is compared with)."""
    rows = _read(labels)
    originals = [row["file"] for row in rows if row["transform"] == "orig"]
    for row in rows:
        if row["transform"] != "orig":
            is_negative = row["transform"] == "negative"
            others = originals if is_negative else [f"{row['source']}_orig.png"]
            yield row["transform"], row["file"], others
    for row in _read(SHARED / "data/dups/negatives.csv"):
        if row["gray_zone"] == "0" and "expression" in row["why"] and "pose" not in row["why"]:
            yield "expression", row["a"], [row["b"]]


def right(transform: str, row: Counter[str]) -> float:
    """Share of a row's relations that are right."""
    expected = next(relations for name, relations in RIGHT.items() if transform.startswith(name))
    return sum(row[relation] for relation in expected) / row.total()


def tell(counts: Matrix) -> None:
    """Print the matrix as a Markdown table."""
    print(f"| transform | {' | '.join(COLUMNS)} | right |")
    print("|---|" + "---:|" * (len(COLUMNS) + 1))
    for transform, row in sorted(counts.items()):
        cells = " | ".join(str(row[name] or "") for name in COLUMNS)
        print(f"| {transform} | {cells} | {right(transform, row):.3f} |")
    copies = {name: row for name, row in counts.items() if name not in {"negative", "expression"}}
    total = sum(row.total() for row in copies.values())
    share = sum(right(name, row) * row.total() for name, row in copies.items()) / total
    print(f"\nRelations right: {share:.4f} of {total} variants.")


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    tell(matrix(Path(sys.argv[1]), Path(sys.argv[2])))
