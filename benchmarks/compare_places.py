"""What belongs together though parts differ: balloons, boxes, bars, crops, panels, spreads, turns, by tool.

    python benchmarks/compare_places.py [--half fit|check] [--originals 60] [--tools TOOL …] [--set SETTING]
    python benchmarks/compare_places.py --unrelated 10000
    python benchmarks/compare_places.py --furniture 2000
    python benchmarks/compare_places.py --splits 10
    python benchmarks/compare_places.py --million 1000000

Pictures: art.py's two halves; what is tuned is tuned on `fit`, and figures of `check` are those to publish.
Of 60 originals of each (copies/originals.py says how they are chosen; brought to 512 px) a copy each is made
in each way (placing/cases.py), in .benchmarks/places, once. Pages and spreads are filled with further
pictures of the half, none of them twice. Each way is a pile of its own, of originals and their copies; a pair
is linked where a tool puts both into one cluster. The old transforms of make_dups.py are spread over four
piles, and one line. ImageHash: phash within 10 bits of 64; imagededup: PHash at its default; perception:
SIFT's points, at its defaults; keypoints: ORB and RANSAC, ours (placing/keypoints.py), each picture with
the next few by name.

--unrelated: so many pictures of the half, of each package in turn; how many pairs anidata looks at and links,
and how right that is by the verdicts that there are (unrelated_art.py says which). Every link stands on a
sheet beside the pictures, in .benchmarks/places/unrelated-HALF. --furniture: the same of interfaces, maps and
sprites, with pages that share a frame, a title bar, a card's border or a header. --splits: so many runs of
ten drawings in six versions each through `anidata run`: do all of a drawing stand in one split, and is
`anidata audit` content. --million: the join of places of so many pictures, resampled from real ones
(placing/million.py).

What lies in FOLDER is not run again: take a new one for new code. FOLDER/HALF/missed.csv lists the pairs that
anidata doesn't link, and missed-*.png show them; wrong.csv and wrong-*.png originals that it puts together.
"""

import argparse
import contextlib
import csv
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pair_sheets
from anidata.engine.engine import Engine
from copies import originals
from copies.making import Copy
from peers import CACHE
from placing import cases, linking, piles, tables
from placing.linking import TOOLS, Outcome

ART, MADE = CACHE / "art" / "pictures", CACHE / "places"
HALVES = ("fit", "check")


def main() -> None:
    args = parsed()
    MADE.mkdir(parents=True, exist_ok=True)
    for half in [args.half] if args.half else HALVES:
        if args.unrelated or args.furniture:
            _precision(half, args)
        elif args.splits:
            _splits(half, args)
        elif args.million:
            _million(half, args)
        else:
            with _folder(args.folder) as folder, Engine(1) as engine:
                compare(half, args, folder / half, engine)


def parsed() -> argparse.Namespace:
    """The words of the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--half", choices=HALVES, help="this one alone")
    parser.add_argument("--originals", type=int, default=60, help="pictures that are copied, of each half")
    parser.add_argument("--only", nargs="+", default=cases.PILES, choices=cases.PILES, metavar="CASE")
    parser.add_argument("--tools", nargs="+", default=TOOLS, metavar="TOOL", help=f"of {', '.join(TOOLS)}")
    parser.add_argument("--set", action="append", default=[], metavar="SETTING", help="as anidata has it")
    parser.add_argument("--folder", type=Path, help="where results stay, and are gone on with")
    parser.add_argument("--art", type=Path, default=ART, help="folder of fit/PACKAGE/… and check/PACKAGE/…")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--unrelated", type=int, default=0, metavar="PICTURES")
    other.add_argument("--furniture", type=int, default=0, metavar="PICTURES")
    other.add_argument("--splits", type=int, default=0, metavar="RUNS")
    other.add_argument("--million", type=int, default=0, metavar="PICTURES")
    parser.add_argument("--again", action="store_true", help="count what the last --unrelated run made")
    parser.add_argument("--verdicts", type=Path, nargs="*", default=[], help="more judged pairs.csv")
    args = parser.parse_args()
    args.tools = [tool for tool in TOOLS if any(tool.startswith(word) for word in args.tools)]
    return args


@contextlib.contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    """The folder of results: a named one, or one that goes; beside the pictures, for piles are hard links."""
    if named:
        yield named
    else:
        with tempfile.TemporaryDirectory(dir=MADE, prefix="run-") as name:
            yield Path(name)


def compare(half: str, args: argparse.Namespace, folder: Path, engine: Engine) -> None:
    """Choose, make, run and print one half."""
    begun, home = time.process_time(), piles.home(MADE)
    count = args.originals * (1 + cases.OTHERS)
    chosen = originals.remembered(folder / "originals.csv", args.art / half, count)
    made = {pile: piles.make(chosen, args.originals, pile, home) for pile in args.only}
    laid = linking.lay(made, home, folder / "piles")
    results, wrong = {}, {}
    for tool in args.tools:
        rows = linking.run(tool, laid, folder, engine, args.set)
        results[tool] = {pile: linking.outcomes(made[pile], rows[pile]) for pile in made}
        wrong[tool] = {pile: linking.wrong(made[pile], rows[pile]) for pile in made}
    linking.forget(laid)
    print(f"\n## {half}: {min(args.originals, len(chosen))} originals\n\n{tables.by_case(results)}")
    print(f"\n{tables.wrong({tool: _count(of_pile, made) for tool, of_pile in wrong.items()})}")
    if "anidata" in results:
        _write_missed(folder, home, made, results["anidata"], wrong["anidata"])
    print(f"\n{half}: {time.process_time() - begun:.0f} CPU s of this process", flush=True)


def _count(of_pile: Mapping[str, Sequence], made: Mapping[str, Sequence[Copy]]) -> tuple[int, int]:
    """Links of two originals in all piles, and how many pairs of two there are."""
    sizes = (len(copies) // 2 for copies in made.values())
    return sum(map(len, of_pile.values())), sum(n * (n - 1) // 2 for n in sizes)


def _write_missed(
    folder: Path,
    home: Path,
    made: Mapping[str, Sequence[Copy]],
    outcomes: Mapping[str, Sequence[Outcome]],
    wrong: Mapping[str, Sequence[tuple[str, str]]],
) -> None:
    """A list of pairs that anidata misses, with sheets of them, and of originals that it puts together."""
    first = {copy.source: copy for copies in made.values() for copy in copies if copy.transform == "orig"}
    missed = [
        {"a": first[one.copy.source], "b": one.copy, "what": pile}
        for pile, some in outcomes.items()
        for one in some
        if not one.linked
    ]
    others = [
        {"a": first[a], "b": first[b], "what": f"two originals in {pile}"}
        for pile, pairs in wrong.items()
        for a, b in pairs
    ]
    for kind, rows in {"missed": missed, "wrong": others}.items():
        shown = [_shown(row) for row in rows]
        with (folder / f"{kind}.csv").open("w", newline="") as file:
            out = csv.DictWriter(file, ["relation", "file_a", "file_b"], extrasaction="ignore")
            out.writeheader()
            out.writerows(shown)
        list(pair_sheets.write(folder, kind, shown, str(home.resolve())))


def _shown(row: Mapping) -> dict[str, str]:
    """A pair as sheets show it."""
    a, b = row["a"], row["b"]
    return {
        "relation": row["what"],
        "distance": "",
        "file_a": f"{a.source}/{a.file}",
        "file_b": f"{b.source}/{b.file}",
    }


def _precision(half: str, args: argparse.Namespace) -> None:
    from placing import furniture, unrelated  # noqa: PLC0415

    part = furniture if args.furniture else unrelated
    home = args.folder or MADE / f"{'furniture' if args.furniture else 'unrelated'}-{half}"
    print(f"\n## {half}, {home.name}\n")
    if not args.again:
        part.lay(home / "pictures", half, args.furniture or args.unrelated, args.art)
        unrelated.run(home, args.set)
    part.tell(home, args.verdicts)


def _splits(half: str, args: argparse.Namespace) -> None:
    from placing import splitting  # noqa: PLC0415

    with _folder(args.folder) as folder:
        splitting.compare(half, args.splits, args.art / half, folder / half, piles.home(MADE), args.set)


def _million(half: str, args: argparse.Namespace) -> None:
    from placing import million  # noqa: PLC0415

    million.compare(half, args.million, args.art / half, MADE)


if __name__ == "__main__":
    main()
