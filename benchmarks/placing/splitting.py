"""Does all of a drawing stand in one split: ten drawings in six versions each through `anidata run`.

Each run has drawings, a pile and a workspace of its own, and its number is the seed of the split. `anidata
audit` looks at what comes out.
"""

import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from anidata.catalog.catalog import Catalog
from anidata.workspace import open_workspace
from bench import ALL_KEPT, ANIDATA, XDOG, took
from copies import originals, running
from copies.making import Copy
from placing import piles

DRAWINGS = 10  # of a run
VERSIONS = ("balloon", "balloons_2", "dialogue_box", "credit_bar", "part_50")  # beside the clean one
ASKED = "SELECT file, cluster, keep, split FROM records"
SMALL = [*ALL_KEPT, *XDOG, "--set", "lineart.size=128"]  # all pairs, cheaply


class Run(NamedTuple):
    """What became of a run's drawings."""

    whole: int  # drawings of which all that is kept stands in one split
    linked: int  # of which all stands in one cluster
    versions: dict[str, int]  # version → drawings of which it stands in the clean one's cluster
    audit: int  # exit code
    said: str  # by audit, in one line


def compare(half: str, runs: int, art: Path, folder: Path, made: Path, settings: Sequence[str]) -> list[Run]:
    """Print what becomes of so many runs over a half."""
    chosen = originals.remembered(folder / "drawings.csv", art, runs * 2 * DRAWINGS)
    done: list[Run] = []
    print(f"\n## {half}: {runs} runs of {DRAWINGS} drawings in {1 + len(VERSIONS)} versions\n")
    print("| run | in one split | in one cluster | audit |\n|---|---:|---:|---|")
    while len(done) < runs:
        copies, chosen = _versions(chosen, made)
        if len(copies) < DRAWINGS:
            break
        done.append(one(copies, len(done), folder, made, settings))
        run = done[-1]
        print(f"| {len(done) - 1} | {run.whole} | {run.linked} | exit {run.audit}{run.said} |", flush=True)
    total = DRAWINGS * len(done)
    whole, sound = sum(run.whole for run in done), sum(run.audit == 0 for run in done)
    each = ", ".join(f"{name} {sum(run.versions[name] for run in done)}" for name in VERSIONS)
    print(f"\nDrawings in one split: {whole} of {total}; audit sound: {sound} of {len(done)} runs.")
    print(f"In the clean one's cluster, of {total}: {each}")
    return done


def _versions(chosen: Sequence, made: Path) -> tuple[list[list[Copy]], Sequence]:
    """The versions of the next ten drawings of which all can be made, and the drawings that are left."""
    drawings: list[list[Copy]] = []
    number = 0
    while len(drawings) < DRAWINGS and number < len(chosen):
        pairs = [piles.make(chosen[number : number + 1], 1, version, made) for version in VERSIONS]
        if all(pairs):
            drawings.append([pairs[0][0], *(copy for _, copy in pairs)])
        number += 1
    return drawings, chosen[number:]


def one(
    drawings: Sequence[Sequence[Copy]], seed: int, folder: Path, made: Path, settings: Sequence[str]
) -> Run:
    """One run, in a workspace that goes."""
    pile, work = folder / "pile", folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    running.pile(pile, made, [copy for copies in drawings for copy in copies])
    words = [word for setting in (f"shard.seed={seed}", *settings) for word in ("--set", setting)]
    took([*ANIDATA, "run", "quickstart", str(work), str(pile), "--workers", "1", *SMALL, *words])
    with Catalog(open_workspace(work)) as views:
        rows = {row["file"].rsplit("/", 1)[-1]: row for row in views.select(ASKED).to_pylist()}
    command = [*ANIDATA, "audit", str(work / "dataset")]
    audit = subprocess.run(command, capture_output=True, text=True, check=False)
    known = [[rows[copy.file] for copy in copies] for copies in drawings]
    shutil.rmtree(pile)
    shutil.rmtree(work)
    return counted(known, audit.returncode, _said(audit.stdout))


def counted(drawings: Sequence[Sequence[dict]], audit: int, said: str = "") -> Run:
    """drawings: of each the rows of its versions, the clean one's first, each cluster, keep, split."""
    splits = [{row["split"] for row in rows if row["keep"]} for rows in drawings]
    same = [[row["cluster"] == rows[0]["cluster"] for row in rows[1:]] for rows in drawings]
    versions = dict(zip(VERSIONS, map(sum, zip(*same, strict=True)), strict=True))
    whole, linked = sum(len(names) == 1 for names in splits), sum(map(all, same))
    return Run(whole, linked, versions, audit, said)


def _said(text: str) -> str:
    """How many leaks audit tells of, by their kinds."""
    words = (line.split()[0] for line in text.splitlines() if line.lstrip().startswith("leak"))
    return "".join(f", {count} {kind}" for kind, count in Counter(words).items())
