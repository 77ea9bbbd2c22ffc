"""The README's tables of duplicates: labelled copies as anidata, ImageHash, imagededup and pdqhash find them.

    python benchmarks/compare_duplicates.py [--folder FOLDER]

It takes a minute or two; the first time other tools are installed. make_dups.py of the collection of
measuring scripts and artwork (SHARED: ../shared, or ANIDATA_SHARED) makes about 14 variants of each of 90
pictures; score_dups.py of the same scores every tool, and says what each figure means. A cell is linked /
dropped: the share of the variants that stand in their original's cluster, and that are thrown away. anidata:
`ingest` and `dedup` alone, at their defaults; `taken for`: the commonest relation of a variant to its
original. ImageHash: phash, 10 and 4 bits of 64, connected components, the first kept, by file name (hence
`worse`). imagededup: PHash at its default. pdqhash: as its makers advise (peer_duplicates.py). Other tools
stand each in a virtual environment under .benchmarks/. FOLDER keeps what is made, to look at.
"""

import argparse
import contextlib
import importlib
import io
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import found_relations
import peers
from bench import ANIDATA, NOTHING, SHARED, Took, scratch, took

sys.path.insert(0, str(SHARED / "bench"))
maker, scorer = importlib.import_module("make_dups"), importlib.import_module("score_dups")
ROW = re.compile(r"(\S+)\s+linked (\S+)\s+dropped (\S+)\s+n=(\d+)")  # what the scorer prints
ASKED = "SELECT file, cluster, keep FROM records"
PEERS = Path(__file__).with_name("peer_duplicates.py")


class Score(NamedTuple):
    """Result of a tool."""

    transforms: dict[str, tuple[str, str, str]]  # transform → linked, dropped, how many
    summary: dict[str, float]
    took: Took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--folder", type=Path, help="where to keep pictures, workspace and results")
    args = parser.parse_args()
    with contextlib.nullcontext(args.folder) if args.folder else scratch() as folder:
        compare(folder)


def compare(folder: Path) -> None:
    """Make the pictures, run the tools, print three tables."""
    pile, labels = folder / "pictures", folder / "labels.csv"
    for old in (pile, folder / "work"):
        shutil.rmtree(old, ignore_errors=True)
    maker.main(SHARED / "data", pile)
    (pile / "labels.csv").replace(labels)
    scores = {
        name: _score(run, pile, labels, folder / f"{name.replace(' ', '-')}.csv")
        for name, run in TOOLS.items()
    }
    relations = found_relations.matrix(folder / "work", labels)
    _tell_transforms(scores, relations)
    _tell_summaries(scores)
    found_relations.tell(relations)


def _score(run: Callable[[Path, Path], Took], pile: Path, labels: Path, result: Path) -> Score:
    taken, said = run(pile, result), io.StringIO()
    with contextlib.redirect_stdout(said):
        summary = scorer.main(labels, SHARED / "data/dups/negatives.csv", result)
    rows = {name: tuple(figures) for name, *figures in ROW.findall(said.getvalue())}
    return Score(rows, summary, taken)


# --- tools --------------------------------------------------------------------------------------------------


def _anidata(pile: Path, result: Path) -> Took:
    work, total = str(result.parent / "work"), NOTHING
    for words in (["ingest", work, str(pile)], ["dedup", work]):
        one = took([*ANIDATA, *words, "--workers", "2"])
        total = Took(total.cpu + one.cpu, total.wall + one.wall, max(total.peak, one.peak))
    asked = subprocess.run(
        [*ANIDATA, "query", work, ASKED, "--format", "csv"], check=True, capture_output=True
    )
    result.write_bytes(asked.stdout)
    return total


def _imagehash(bits: int) -> Callable[[Path, Path], Took]:
    return lambda pile, result: took(
        [sys.executable, str(SHARED / "bench/peer_phash.py"), str(pile), str(result), str(bits)]
    )


def _peer(tool: str) -> Callable[[Path, Path], Took]:
    return lambda pile, result: took([peers.python(tool), str(PEERS), tool, str(pile), str(result)])


TOOLS = {
    "anidata": _anidata,
    "ImageHash 10": _imagehash(10),
    "ImageHash 4": _imagehash(4),
    "imagededup": _peer("imagededup"),
    "pdqhash": _peer("pdqhash"),
}


# --- tables -------------------------------------------------------------------------------------------------


def _tell_transforms(scores: dict[str, Score], relations: found_relations.Matrix) -> None:
    print(f"| transform | n | anidata | taken for | {' | '.join(list(scores)[1:])} |")
    print("|---|---:|" + "---|" * (len(scores) + 1))
    for name, (_, _, count) in scores["anidata"].transforms.items():
        ours, *others = (" / ".join(score.transforms[name][:2]) for score in scores.values())
        print(f"| {name} | {count} | {ours} | {_commonest(relations[name])} | {' | '.join(others)} |")


def _commonest(relations: Counter[str]) -> str:
    relation, count = relations.most_common(1)[0]
    return f"{relation} {count / relations.total():.3f}"


def _tell_summaries(scores: dict[str, Score]) -> None:
    names = list(scores["anidata"].summary)
    print(f"\n| tool | {' | '.join(names)} | CPU s | wall s |")
    print("|---|" + "---:|" * (len(names) + 2))
    for tool, score in scores.items():
        values = score.summary.values()
        figures = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in values]
        print(f"| {tool} | {' | '.join(figures)} | {score.took.cpu:.1f} | {score.took.wall:.1f} |")
    print()


if __name__ == "__main__":
    main()
