"""The whole job by URL, beside the same job without a network and img2dataset.

`python benchmarks/whole_job.py`. The job: fetch, decode, resize to 512, write tars. Needs nginx, the extra
`web` and ../shared; img2dataset stands in a virtual environment under .benchmarks/. Of each list the same
files, by turns:

- `alone`: decode, resize and encode with OpenCV in two processes, in memory: what no tool for the job can
  undercut;
- img2dataset: two processes of 32 threads, JPEG of quality 95 in tars;
- anidata: `run quickstart` with xdog at 512 px, JPEG, from a folder and from URLs: it also judges, finds
  duplicates, draws lines and splits.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import cv2

import fetch as bench
import peers
from bench import ALL_KEPT, ANIDATA, SHARED, took

SIDE = 512  # px
ROUNDS = 2  # by turns; the best of each counts
LISTS = {"JPEG, 768 px": (768, ".jpg"), "PNG, 1024 px": (1024, ".png")}
SETTINGS = ("lineart.styles=['xdog']", f"lineart.size={SIDE}", "lineart.color=jpeg")
JOB = ["--workers", "2", *(f"--set={text}" for text in SETTINGS), *ALL_KEPT]
WEB = [f"--set=ingest.fetch.{text}" for text in ("rate=0", "concurrency=32", "allow_private=true")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--pictures", type=int, default=600)
    count = parser.parse_args().pictures
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make_pile = [sys.executable, SHARED / "bench/make_pile.py", SHARED / "data", home / "pile", count]
        subprocess.run([str(word) for word in make_pile], check=True)
        for n, (name, (side, suffix)) in enumerate(LISTS.items()):
            one = home / str(n)
            one.mkdir()
            with bench.nginx(one, 0, 3, 8) as _:
                files = converted(home / "pile", one / "files", side, suffix)
                urls = [f"{url_base(one, k)}/{path.name}" for k, path in enumerate(files)]
                compare(name, files, urls, one)


def url_base(home: Path, number: int) -> str:
    """Of nginx, one of its eight addresses."""
    listen = (home / "nginx.conf").read_text().split("listen ")[1 + number % 8].split()[0]
    return f"http://{listen}"


def compare(name: str, files: list[Path], urls: list[str], home: Path) -> None:
    (home / "list.txt").write_text("\n".join(urls))
    run = [*ANIDATA, "run", "quickstart"]
    rounds = []
    for n in range(ROUNDS):
        local = took([*run, str(home / f"local{n}"), str(home / "files"), *JOB]).wall
        web = took([*run, str(home / f"web{n}"), f"urls:{home / 'list.txt'}", *JOB, *WEB]).wall
        rounds.append((by_hand(files), img2dataset(home, home / f"peer{n}"), local, web))
    alone, peer, local, web = map(min, zip(*rounds, strict=True))
    kilobytes = sum(path.stat().st_size for path in files) / len(files) / 1000
    print(f"{name}, {len(files)} of {kilobytes:.0f} kB: alone {len(files) / alone:.0f} pictures/s")
    print(f"  img2dataset {len(files) / peer:.0f}/s, {alone / peer:.2f} of alone")
    shares = f"{local / web:.2f} of the same job from a folder, {alone / web:.2f} of alone"
    print(f"  anidata by URL {len(files) / web:.0f}/s, {shares}", flush=True)


def converted(pile: Path, folder: Path, side: int, suffix: str) -> list[Path]:
    """The pile's pictures with the long side at most so many px."""
    files: list[Path] = []
    for path in sorted(pile.iterdir()):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            continue
        scale = min(1.0, side / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        files.append(folder / f"{len(files):05d}{suffix}")
        cv2.imwrite(str(files[-1]), small)
    return files


def by_hand(files: list[Path]) -> float:
    """Seconds of two processes that have started."""
    with get_context("spawn").Pool(2) as pool:  # OpenCV's threads don't survive a fork
        pool.map(_job, files[:8], 4)
        begun = time.monotonic()
        pool.map(_job, files, 16)
        return time.monotonic() - begun


def _job(path: Path) -> int:
    cv2.setNumThreads(1)
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    scale = SIDE / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return len(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])


def img2dataset(home: Path, folder: Path) -> float:
    """Seconds, its start with them, as its user waits for it."""
    program = Path(peers.python("img2dataset")).with_name("img2dataset")
    words = ["--url_list", home / "list.txt", "--output_folder", folder, "--output_format", "webdataset"]
    words += ["--processes_count", 2, "--thread_count", 32, "--number_sample_per_shard", 300]
    words += ["--image_size", SIDE, "--resize_mode", "keep_ratio_largest"]
    environment = {**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"}
    begun = time.monotonic()
    subprocess.run([str(program), *map(str, words)], check=True, capture_output=True, env=environment)
    return time.monotonic() - begun


if __name__ == "__main__":
    main()
