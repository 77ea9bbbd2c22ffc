"""What anidata takes each labelled variant for: a confusion matrix of relations over the transforms of compare_duplicates.py.

    python benchmarks/found_relations.py WORK LABELS_CSV      (after ingest and dedup of what make_dups.py made; seconds)

Rows: how a variant was made. Columns: the verdict on the pair of it and its original; `through others`: no such pair, but in one
cluster; `apart`: neither. Right: the share of the verdicts that the transform may have. The row `negative` is about the pictures that
look like no original; `expression` about the pairs of one sprite with another face, both from the pictures' own labels. On candidate
pairs that no decision depended on, dedup has asked for no verdict: these are asked for here.
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

COLUMNS = ("exact", "reencoded", "flip", "crop", "recolor", "variant", "through others", "apart")
RIGHT = {  # how the name of a transform begins → the verdicts that are right
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

Matrix = dict[str, Counter[str]]  # transform → verdict → variants


def matrix(work: Path, labels: Path) -> Matrix:
    """Count the verdicts in a workspace."""
    workspace = open_workspace(work)
    with Catalog(workspace) as views:
        cluster = {
            row["file"]: (row["key"], row["cluster"])
            for row in views.select("SELECT file, key, cluster FROM records").to_pylist()
        }
        links = views.select("SELECT a, b, mirrored, relation FROM _links").to_pylist()
        places = {
            row["key"]: row["places"] for row in views.select("SELECT key, places FROM _places").to_pylist()
        }
    candidates = {frozenset((link["a"], link["b"])): link for link in links}
    reader = Reader(workspace, *LIMITS)

    @cache
    def seen(key: str) -> alignment.View:
        return alignment.View(alignment.thumbnail(reader.decode(places[key], key).rgb))

    def verdict(pair: frozenset[str]) -> str:
        link = candidates.get(pair, UNRELATED)
        if link["relation"]:
            return link["relation"]
        a, b = link["a"], link["b"]
        return verify.pair_relation(seen(a), seen(b), link["mirrored"], partial(verify.both, reader, places, a, b))

    found: Matrix = defaultdict(Counter)
    for transform, a, others in _asked(labels):
        (key, home), rest = cluster[a], [cluster[b] for b in others]
        direct = [told for other, _ in rest if (told := verdict(frozenset((key, other)))) != "unrelated"]
        found[transform][
            direct[0] if direct else "through others" if home in [c for _, c in rest] else "apart"
        ] += 1
    return found


def _asked(labels: Path) -> Iterator[tuple[str, str, list[str]]]:
    """(transform, file, the files it is compared with)."""
    rows = _read(labels)
    originals = [row["file"] for row in rows if row["transform"] == "orig"]
    for row in rows:
        if row["transform"] != "orig":
            yield (
                row["transform"],
                row["file"],
                originals if row["transform"] == "negative" else [f"{row['source']}_orig.png"],
            )
    for row in _read(SHARED / "data/dups/negatives.csv"):
        if row["gray_zone"] == "0" and "expression" in row["why"] and "pose" not in row["why"]:
            yield "expression", row["a"], [row["b"]]


def right(transform: str, verdicts: Counter[str]) -> float:
    """Share of a row's verdicts that are right."""
    expected = next(relations for name, relations in RIGHT.items() if transform.startswith(name))
    return sum(verdicts[relation] for relation in expected) / verdicts.total()


def tell(found: Matrix) -> None:
    """Print the matrix as a Markdown table."""
    print(f"| transform | {' | '.join(COLUMNS)} | right |")
    print("|---|" + "---:|" * (len(COLUMNS) + 1))
    for transform, verdicts in sorted(found.items()):
        print(
            f"| {transform} | {' | '.join(str(verdicts[name] or '') for name in COLUMNS)} | {right(transform, verdicts):.3f} |"
        )
    copies = {name: verdicts for name, verdicts in found.items() if name not in {"negative", "expression"}}
    total = sum(verdicts.total() for verdicts in copies.values())
    share = sum(right(name, verdicts) * verdicts.total() for name, verdicts in copies.items()) / total
    print(f"\nRelations right: {share:.4f} of {total} variants.")


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    tell(matrix(Path(sys.argv[1]), Path(sys.argv[2])))
