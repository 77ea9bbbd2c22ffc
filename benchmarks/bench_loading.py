"""The speed of `load_dataset`, a figure a line, with its reference and the call that gave it.

The data sets are made for it: one of the bundled art, and simulated ones of sparse tars (300 MB on the disk).
Close other programs first.

    python benchmarks/bench_loading.py [--only NAME …]
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from anidata.dataset import order
from anidata.dataset.samples import Samples, load_dataset
from anidata.tar.reader import BLOCK
from anidata.tar.writer import END, Member, index_text
from bench import ANIDATA, line, scratch, took

TIMES = 5  # runs of each side, by turns; the best counts: the one that other programs disturbed least
EACH = 480  # samples read by each worker
BATCH = 16
AT_LEAST = 0.85  # of the reference's pictures a second
READ = 10_000  # samples read at random

Pictures = list[tuple[np.ndarray, ...]]


# --- speed --------------------------------------------------------------------------------------------------


def speed(folder: Path) -> None:
    """Pictures a second of 1 and 2 workers, beside those of cv2.imdecode alone on the same bytes."""
    took([*ANIDATA, "run", "quickstart", str(folder / "work"), "sample:"])
    ours = Pairs(load_dataset(folder / "work" / "dataset"))
    bare = Bare(ours.samples)
    for rate, how in ((process_rate, "by itself"), (loader_rate, f"DataLoader, batches of {BATCH}")):
        for workers in (1, 2):
            rates = [(rate(ours, workers), rate(bare, workers)) for _ in range(TIMES)]
            a, b = (max(of) for of in zip(*rates, strict=True))
            figure = f"{a / b:.2f} × cv2.imdecode, workers: {workers}"
            reference = f"{a:,.0f} against {b:,.0f} pictures/s; at least {AT_LEAST}"
            line("speed", figure, reference, f"load_dataset(DATASET)[n], 512 px, {how}")


@dataclass(frozen=True)
class Pairs:
    """Color and line of a data set, over and over."""

    samples: Samples

    def __len__(self) -> int:
        return EACH

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        sample = self.samples[index % len(self.samples)]
        return sample["color"], *sample["lineart"].values()


class Bare:
    """The same from bytes in memory."""

    def __init__(self, samples: Samples) -> None:
        files = (samples.files(n) for n in range(len(samples)))
        self.packed = [
            (np.frombuffer(f["color.jpg"], np.uint8), np.frombuffer(f["lineart.png"], np.uint8))
            for f in files
        ]

    def __len__(self) -> int:
        return EACH

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        color, lineart = self.packed[index % len(self.packed)]
        return cv2.imdecode(color, cv2.IMREAD_COLOR), cv2.imdecode(lineart, cv2.IMREAD_GRAYSCALE)


def process_rate(pairs: Pairs | Bare, workers: int) -> float:
    """Pictures a second of processes that keep what they decode to themselves."""
    barrier, rates = multiprocessing.Barrier(workers), multiprocessing.Queue()
    processes = [multiprocessing.Process(target=_work, args=(pairs, barrier, rates)) for _ in range(workers)]
    for process in processes:
        process.start()
    total = sum(rates.get() for _ in processes)
    for process in processes:
        process.join()
    return float(total)


def _work(pairs: Pairs | Bare, barrier: Any, rates: Any) -> None:
    cv2.setNumThreads(1)
    pairs[0]  # files opened, code loaded
    barrier.wait()
    begun = time.perf_counter()
    count = sum(len(pairs[n]) for n in range(EACH))
    rates.put(count / (time.perf_counter() - begun))


def loader_rate(pairs: Pairs | Bare, workers: int) -> float:
    """Pictures a second that arrive as tensors in the main process, by PyTorch's own collating.

    The first batch is the start's.
    """
    from torch.utils.data import DataLoader  # noqa: PLC0415 the other lines need no torch

    loader = DataLoader(pairs, BATCH, num_workers=workers, worker_init_fn=_single)  # type: ignore[arg-type]
    batches = iter(loader)
    next(batches)
    begun = time.perf_counter()
    count = sum(len(of) for batch in batches for of in batch)
    return count / (time.perf_counter() - begun)


def _single(_: int) -> None:
    cv2.setNumThreads(1)


# --- simulated data sets ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Simulated:
    """A data set of sparse tars, its pictures holes of the size that pictures of 512 px have."""

    shards: int
    each: int  # samples in a shard
    headed: frozenset[int] = frozenset()  # samples with headers: what is to be read

    def make(self, folder: Path) -> Path:
        names = [f"train-{n:05d}-of-{self.shards:05d}" for n in range(self.shards)]
        for name in ("data", "index"):
            (folder / name).mkdir(parents=True)
        sizes = {name: self._shard(folder, n, name) for n, name in enumerate(names)}
        listed = [
            {"url": f"../data/{name}.tar", "dataset": "train", "nsamples": self.each, "filesize": size}
            for name, size in sizes.items()
        ]
        recipe = {"lineart": {"styles": ["xdog"]}, "shard": {"splits": {"train": 1.0}}}
        paths = [path for name in names for path in (f"data/{name}.tar", f"index/{name}.idx")]
        files = {path: {"bytes": 0, "sha256": "0" * 64} for path in paths}
        (folder / "manifest.json").write_text(json.dumps({"format": 1, "recipe": recipe, "files": files}))
        (folder / "index" / "shardindex.json").write_text(json.dumps({"shardlist": listed}))
        return folder

    def _shard(self, folder: Path, number: int, name: str) -> int:
        members = list(self._members(number))
        size = members[-1].offset + members[-1].size + -members[-1].size % BLOCK + len(END)
        (folder / "index" / f"{name}.idx").write_text(index_text(members))
        with open(folder / "data" / f"{name}.tar", "wb") as file:
            file.truncate(size)
            for member in members:
                if int(member.name[:24], 16) in self.headed:
                    header = tarfile.TarInfo(member.name)
                    header.size = member.size
                    os.pwrite(file.fileno(), header.tobuf(), member.offset - BLOCK)
        return size

    def _members(self, number: int) -> Iterator[Member]:
        offset = 0
        for n in range(self.each):
            sizes = {
                "color.jpg": 66_000 + n % 1000,
                "json": 300 + n % 100,
                "lineart.png": 7000 + n % 100,
            }
            for suffix, size in sizes.items():
                yield Member(f"{number * self.each + n:024x}.{suffix}", offset + BLOCK, size)
                offset += BLOCK + size + -size % BLOCK


def access(folder: Path) -> None:
    """Milliseconds that the bytes of a sample take, by its number, in random order, in 10 GB.

    From the first access on, when no index has been read.
    """
    chosen = order.shuffled(40 * 3350, 0, 0)[:READ].tolist()
    dataset = Simulated(40, 3350, frozenset(chosen)).make(folder / "sparse")
    size = sum(path.stat().st_size for path in (dataset / "data").iterdir())
    samples = Samples(dataset)
    ours = [_milliseconds(lambda n=n: samples.files(n)) for n in chosen[::2]]
    bare = [_milliseconds(call) for call in _bare_reads(samples, chosen[1::2])]
    half, most, worst = np.percentile(ours, (50, 99, 100))
    reference = (
        f"at most 1; median {half:.2f}, worst {worst:.1f}; os.pread alone {np.percentile(bare, 99):.2f}"
    )
    call = f"samples.files(n), {len(ours):,} of {len(samples):,} in {size / 1e9:.0f} GB"
    line("access", f"{most:.2f} ms, 99th percentile", reference, call)


def _bare_reads(samples: Samples, numbers: list[int]) -> Iterator[Callable[[], object]]:
    """The same reading with nothing around it, of files that are open."""
    with contextlib.ExitStack() as stack:
        files = {}
        for n in numbers:
            tar, row = samples._locate(n)  # noqa: SLF001 the places to read
            name = tar.shard.tar
            files[name] = files.get(name) or stack.enter_context(open(samples.root / name, "rb"))
            reads = [(files[name].fileno(), m.size, m.offset) for m in tar.members(row).values()]
            yield lambda reads=reads: [os.pread(*read) for read in reads]


def _milliseconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - begun)


def opening(folder: Path) -> None:
    """Milliseconds to open a data set of a million samples and read its indices, beside parsing those."""
    dataset = Simulated(shards=220, each=4546).make(folder / "million")
    opened = min(_milliseconds(partial(Samples, dataset)) for _ in range(TIMES))
    samples = Samples(dataset)
    touched = _milliseconds(lambda: [samples.key(n) for n in range(0, len(samples), 4546)])
    parsed = _milliseconds(partial(_split_words, dataset / "index"))
    figure = f"{opened:.0f} ms for {len(samples):,} samples"
    line("opening", figure, "at most 200 ms", "load_dataset(DATASET)")
    reference = f"{parsed / 1000:.1f} s to split the words of every index"
    line("", f"{touched:.0f} ms to look into every shard", reference, "samples.key(n)")


def _split_words(folder: Path) -> int:
    texts = (text for path in folder.glob("*.idx") for text in path.read_text().splitlines())
    return sum(len(text.split()) for text in texts)


def parts(folder: Path) -> None:
    """Whether the parts of ranks and workers make a whole epoch of a million, and how long cutting takes."""
    samples = Samples(Simulated(shards=220, each=4546).make(folder / "parts"))
    begun = time.perf_counter()
    cut = [samples.order(1, 2, rank, 4, worker, 8) for rank in range(4) for worker in range(8)]
    taken = (time.perf_counter() - begun) / len(cut)
    whole = np.array_equal(np.sort(np.concatenate(cut)), np.arange(len(samples)))
    spread = max(map(len, cut)) - min(map(len, cut))
    words = "make" if whole else "DON'T make"
    figure = f"32 parts {words} the whole, lengths ±{spread}"
    call = "samples.order(seed, epoch, rank, 4, worker, 8)"
    line("parts", figure, f"{taken * 1000:.0f} ms each", call)


BENCHES: dict[str, Callable[[Path], None]] = {
    "speed": speed,
    "access": access,
    "opening": opening,
    "parts": parts,
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--only", nargs="*", choices=list(BENCHES), default=list(BENCHES))
    os.environ["ANIDATA_QUIET"] = "1"
    with scratch() as folder:
        for name in options.parse_args().only:
            BENCHES[name](folder)


if __name__ == "__main__":
    main()
