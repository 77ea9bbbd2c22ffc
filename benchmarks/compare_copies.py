"""Which copy stays: copies of free art by some 70 transforms, as anidata, ImageHash and imagededup find them.

    python benchmarks/compare_copies.py [--half fit|check] [--originals 150] [--copies 40] [--folder FOLDER]
    python benchmarks/compare_copies.py --orders 300
    python benchmarks/compare_copies.py --full --folder FOLDER

Pictures: art.py's two halves; thresholds are fitted on `fit`, and figures of `check` are those to publish. Of
150 originals of each (copies/originals.py says how they are chosen; brought to 512 px) 40 copies each are
made (copies/all.py has the transforms, with the relations that are right, whether the copy should be dropped,
and who should stay), in .benchmarks/copies, once.

Columns: each copy beside its original alone, among the other pairs (`linked`, `dropped`; `keeper right`: the
original isn't dropped for a worse copy; `relation`: the commonest; `right`: the share of right ones; `why`:
the commonest where one of the two is dropped); and in the crowd of all copies of all originals (`crowd`;
`originals lost`: dropped for such a copy), where the other tools run too. ImageHash: phash, 10 and 4 bits of
64, connected components, the first by file name kept; imagededup: PHash at its default. A mirror image may
stay in a pair where nothing tells; further workspaces hold mirrored pairs where text, a third copy, a date or
`dedup.prefer` does. --orders asks of so many pairs whether the same one stays whatever the order, bytes,
formats and company. --full: 1,000 originals in chunks of 150; broken off, the same command goes on.

What lies in FOLDER is not run again: take a new one for new code. FOLDER/HALF/wrong.csv lists what went wrong
with which file, and originals.csv what was chosen: copy it into a new folder for the same originals again,
whatever has been collected meanwhile.
"""

import argparse
import contextlib
import csv
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from anidata.engine.engine import Engine
from copies import making, mirrors, orders, originals, running, scoring, tables
from copies.all import TRANSFORMS
from copies.making import Copy
from copies.originals import Original
from copies.scoring import Counts
from peers import CACHE

ART, MADE = CACHE / "art" / "pictures", CACHE / "copies"
HALVES = ("fit", "check")
CHUNK = 150  # originals in one workspace
FULL = 1000
Make = Callable[[Sequence[Original]], list[list[Copy]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--half", choices=HALVES, help="this one alone")
    parser.add_argument("--originals", type=int, default=150, help="pictures that are copied, of each half")
    parser.add_argument("--copies", type=int, default=40, help="copies of each")
    parser.add_argument("--only", nargs="+", default=[], choices=TRANSFORMS, metavar="TRANSFORM")
    parser.add_argument("--skip", nargs="+", default=[], choices=("alone", "crowd", "tools", "mirrors"))
    parser.add_argument(
        "--orders", type=int, default=0, metavar="PAIRS", help="ask this of so many pairs instead"
    )
    parser.add_argument(
        "--full", action="store_true", help=f"{FULL:,} originals of each half; needs --folder"
    )
    parser.add_argument("--folder", type=Path, help="where results stay, and are gone on with")
    parser.add_argument("--art", type=Path, default=ART, help="folder of fit/PACKAGE/… and check/PACKAGE/…")
    args = parser.parse_args()
    if args.full and not args.folder:
        parser.error("--full goes on where it was broken off: give it a --folder")
    MADE.mkdir(parents=True, exist_ok=True)
    # Beside the copies, since piles are hard links to them.
    own = tempfile.TemporaryDirectory(dir=MADE, prefix="run-")
    with contextlib.nullcontext(args.folder) if args.folder else own as name:
        folder = Path(name)
        with Engine(making.WORKERS) as engine:
            for half in [args.half] if args.half else HALVES:
                compare(half, args, folder / half, engine)


def compare(half: str, args: argparse.Namespace, folder: Path, engine: Engine) -> None:
    """Choose, make, run and print one half."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    count = FULL if args.full else args.orders or args.originals
    chosen = originals.remembered(folder / "originals.csv", args.art / half, count)
    home = folder / "made" if args.full else making.home(MADE, args.copies, args.only)
    make = partial(making.make, folder=home, count=args.copies, only=args.only)
    runs = Runs(folder, home, engine, args.skip, is_passing=args.full)
    if args.orders:
        tables.orders(orders.outcomes(orders.pairs(make(chosen), args.orders), home, folder, engine))
    else:
        _tables(half, chosen, make, runs)
        if "mirrors" not in args.skip:
            tables.mirrors(_mirrors(chosen[:CHUNK], runs))
    print(f"\n{half}: {time.monotonic() - begun:.0f} s", flush=True)


class Runs(NamedTuple):
    """Where copies lie and tools run, by which workers, and what is left out."""

    folder: Path
    home: Path
    engine: Engine
    skip: Sequence[str]
    is_passing: bool  # copies of a chunk go when all is known of it


def _tables(half: str, chosen: Sequence[Original], make: Make, runs: Runs) -> None:
    alone, crowd = Counts(), Counts()
    has_tools = not {"tools", "crowd"} & set(runs.skip)
    tools = {tool: Counts() for tool in running.TOOLS} if has_tools else {}
    count = 0
    for n in range(0, len(chosen), CHUNK):
        made = make(chosen[n : n + CHUNK])
        count += sum(map(len, made)) - len(made)
        if "alone" not in runs.skip:
            _alone(made, runs._replace(folder=runs.folder / f"alone-{n}"), alone)
        if "crowd" not in runs.skip:
            _crowd(made, runs._replace(folder=runs.folder / f"crowd-{n}"), {"anidata": crowd, **tools})
        if runs.is_passing:
            making.forget(made, runs.home)
    _write_wrong(runs.folder / "wrong.csv", {"alone": alone, "crowd": crowd})
    print(f"\n## {half}: {len(chosen)} originals, {count} copies\n")
    if alone.fates or crowd.fates:
        tables.transforms(alone, crowd, tools)
        tables.summary(alone, crowd)
    if tools:
        tables.others({"anidata": crowd, **tools})


def _alone(made: Sequence[Sequence[Copy]], runs: Runs, counts: Counts) -> None:
    """A workspace for the first copy of each original, one for the second, and so on."""
    runs.folder.mkdir(exist_ok=True)
    pile = runs.folder / "pile"
    for turn in range(1, max(map(len, made))):
        copies = [copy for copies in made if turn < len(copies) for copy in (copies[0], copies[turn])]
        result = runs.folder / f"{turn}.csv"
        if not result.exists():
            running.pile(pile, runs.home, copies)
        scoring.count(copies, running.anidata(result, [pile], runs.engine), counts, crowd=False)
    shutil.rmtree(pile, ignore_errors=True)


def _crowd(made: Sequence[Sequence[Copy]], runs: Runs, counts: dict[str, Counts]) -> None:
    """One workspace for all copies of all originals; the other tools' turn too."""
    copies = [copy for copies in made for copy in copies]
    runs.folder.mkdir(exist_ok=True)
    pile, results = (
        runs.folder / "pile",
        {tool: runs.folder / f"{tool.replace(' ', '-')}.csv" for tool in counts},
    )
    if not all(result.exists() for result in results.values()):
        running.pile(pile, runs.home, copies)
    for tool, result in results.items():
        if tool == "anidata":
            rows = running.anidata(result, [pile], runs.engine)
        else:
            rows = running.peer(tool, result, pile)
        scoring.count(copies, rows, counts[tool], crowd=True)
    shutil.rmtree(pile, ignore_errors=True)


def _mirrors(chosen: Sequence[Original], runs: Runs) -> dict[str, mirrors.Counted | None]:
    return {case: mirrors.run(case, chosen, runs.folder, runs.engine) for case in mirrors.CASES}


def _write_wrong(path: Path, counts: dict[str, Counts]) -> None:
    """A list of what went wrong, to look at the files."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["among", "what", "file", "relation", "why"])
        for among, one in counts.items():
            for what, fate in scoring.wrong(one, crowd=among == "crowd"):
                out.writerow([among, what, fate.copy.file, fate.relation, fate.why])


if __name__ == "__main__":
    main()
