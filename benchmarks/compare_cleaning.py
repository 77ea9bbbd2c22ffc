"""Cleaning scored defect by defect, beside CleanVision's, and how mild a defect may be and still be found.

Prints Markdown tables:

    python benchmarks/compare_cleaning.py

Needs the collection of artwork and scorers (SHARED: ../shared, or ANIDATA_SHARED);
CleanVision gets an environment of its own under .benchmarks/.
"""

import csv
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

import peers

SHARED = Path(os.environ.get("ANIDATA_SHARED", Path(__file__).resolve().parents[2] / "shared"))
ANIDATA = [sys.executable, "-m", "anidata"]
SELECT = "select file, keep, array_to_string(reasons, ' ') as reasons from records"
SMALL = ["--set", "clean.min_side=128"]  # the good pictures' shorter sides begin there
HEAD = (
    "| {} (pictures) | anidata: rejected | first reason right "
    "| CleanVision: rejected | first reason right |\n|---|---|---|---|---|"
)
Picture = np.ndarray  # (h, w, 3), BGR
Rejected = dict[str, list[str]]  # file → reasons

MILD: dict[str, tuple[str, Callable[[Picture, np.random.Generator], Picture]]] = {
    "JPEG 15": ("jpeg_artifacts", lambda im, _: jpeg(im, 15)),
    "JPEG 25": ("jpeg_artifacts", lambda im, _: jpeg(im, 25)),
    "JPEG 50": ("jpeg_artifacts", lambda im, _: jpeg(im, 50)),
    "half the blur": ("blurred", lambda im, _: cv2.GaussianBlur(im, (0, 0), max(im.shape[:2]) / 300)),
    "enlarged 2 ×": ("upscaled", lambda im, _: enlarged(im, 2)),
    "enlarged 1.5 ×": ("upscaled", lambda im, _: enlarged(im, 1.5)),
    "noise σ 20": ("noisy", lambda im, rng: noisy(im, rng, 20)),
    "noise σ 10": ("noisy", lambda im, rng: noisy(im, rng, 10)),
}


def jpeg(picture: Picture, quality: int) -> Picture:
    return cv2.imdecode(
        cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR
    )


def enlarged(picture: Picture, factor: float) -> Picture:
    small = cv2.resize(picture, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def noisy(picture: Picture, rng: np.random.Generator, sigma: float) -> Picture:
    return np.clip(picture + rng.normal(0, sigma, picture.shape), 0, 255).astype(np.uint8)


def scorer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("score_defects", SHARED / "bench/score_defects.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ours(pictures: Path, work: Path) -> Rejected:
    """What ingest and clean alone reject."""
    for words in (["ingest", str(work), str(pictures)], ["clean", str(work), *SMALL]):
        subprocess.run([*ANIDATA, *words], check=True, stdout=subprocess.DEVNULL)
    answer = subprocess.run(
        [*ANIDATA, "query", str(work), SELECT, "--format", "csv"], check=True, capture_output=True, text=True
    ).stdout
    return reasons(answer.splitlines())


def cleanvisions(pictures: Path, result: Path) -> Rejected:
    command = [
        peers.python("cleanvision"),
        str(SHARED / "bench/peer_cleanvision.py"),
        str(pictures),
        str(result),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return reasons(result.read_text().splitlines())


def reasons(lines: Iterable[str]) -> Rejected:
    return {
        row["file"].rsplit("/", 1)[-1]: row["reasons"].split()
        for row in csv.DictReader(lines)
        if row["reasons"]
    }


def spoil(folder: Path) -> dict[str, list[str]]:
    """Defect → files: good pictures, each spoilt mildly."""
    folder.mkdir()
    files = defaultdict(list)
    for k, path in enumerate(sorted((SHARED / "data/dups/originals").glob("*.png"))):
        picture = cv2.imread(str(path))
        for n, (defect, (_, how)) in enumerate(MILD.items()):
            name = f"{path.stem}_{n}.png"
            cv2.imwrite(str(folder / name), how(picture, np.random.default_rng([k, n])))
            files[defect].append(name)
    return files


def table(files: dict[str, list[str]], means: dict[str, tuple[str, ...]], tools: list[Rejected]) -> None:
    """Print a line for each defect.

    Of each tool the share that it rejected, and of that, how often the first reason named the defect.
    """
    for defect, names in files.items():
        cells = [f"{defect} ({len(names)})"]
        for rejected in tools:
            why = [rejected[name][0] for name in names if name in rejected]
            named = (
                [any(word in reason.lower() for word in means[defect]) for reason in why]
                if means.get(defect)
                else []
            )
            cells += [f"{len(why) / len(names):.3f}", f"{np.mean(named):.2f}" if named else "—"]
        print("| " + " | ".join(cells) + " |")


def main() -> None:
    if not (SHARED / "bench/make_defects.py").exists():
        raise SystemExit("not run: the collection of artwork and scorers isn't here")
    means = scorer().MEANS
    with tempfile.TemporaryDirectory(prefix="anidata-cleaning-") as scratch:
        home = Path(scratch)
        pictures = home / "defects"
        subprocess.run(
            [sys.executable, str(SHARED / "bench/make_defects.py"), str(SHARED / "data"), str(pictures)],
            check=True,
        )
        labels: dict[str, list[str]] = defaultdict(list)
        for row in csv.DictReader((pictures / "labels.csv").read_text().splitlines()):
            labels[row["defect"]].append(row["file"])
        tools = [ours(pictures, home / "work"), cleanvisions(pictures, home / "cleanvision.csv")]
        print(HEAD.format("defect"))
        table(dict(sorted(labels.items())), means, tools)
        recalls = [
            np.mean([np.mean([name in rejected for name in labels[d]]) for d in means]) for rejected in tools
        ]
        mean = f"**mean recall over the {len(means)} defects**"
        print(f"| {mean} | **{recalls[0]:.3f}** | | **{recalls[1]:.3f}** | |\n")
        mild = spoil(home / "mild")
        tools = [ours(home / "mild", home / "mild-work"), cleanvisions(home / "mild", home / "mild.csv")]
        print(HEAD.format("milder"))
        table(mild, {name: means[defect] for name, (defect, _) in MILD.items()}, tools)


if __name__ == "__main__":
    os.environ["ANIDATA_QUIET"] = "1"
    main()
