"""The Hamming join: time, memory and growth of anidata.duplicates.hamming, beside faiss's exact search.

    python benchmarks/bench_join.py [--sizes 1e5 1e6 1e7]

1e5 alone takes 10 s; of the whole most goes to faiss over a million codes.

Codes of 64 bits, from a seed: half uniform; half as phashes lie, with 32 ones of 64, neighboring bits alike
and some bits likelier set, so that a pair of unrelated ones is within 8 bits with a chance of 1e-5 (of 5,689
drawings alone in their clusters 2e-5); and one in a hundred is another code with at most as many bits turned
as are looked for. Each join is a process of its own, timed from codes in memory to pairs, after a small one
that warms up; equal codes are made one first, as a join of pictures does. Lines:

- the largest size below 1e7 within 6 and within 8 bits, the largest at all within 4; peak: MB of that process
  and its largest child
- faiss IndexBinaryFlat.range_search, 2 threads, on a tenth; whether both find the same pairs there; the ratio
  of our time for all to its time for a tenth, in which it compares a hundredth of the pairs
- the slope of log time over log size within 4 bits, from the smallest to the largest
- the time where a tenth of all codes is one code over the time where it isn't, within 4 bits
"""

import argparse
import math
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import peers

Words = NDArray[np.uint64]
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]

SIZES, MANY = (1e5, 1e6, 1e7), 10_000_000  # codes; from so many on within 4 bits alone
ALIKE = 0.8  # correlation of neighboring bits before the sign is taken
BIAS = 0.25  # spread of the bits' own leanings
BLOCK = 4  # bits
PLANTED, CROWD = 0.01, 0.1  # shares: of codes near another one; of codes that are one and the same
CHUNK, QUERIES, WARM = 100_000, 20_000, 2_000  # codes made, asked faiss, and joined to warm up, at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", nargs="+", type=float, default=SIZES, help="numbers of codes")
    sizes = sorted(int(size) for size in parser.parse_args().sizes)
    from bench import scratch  # noqa: PLC0415  faiss's Python runs this file too, and lacks what that imports

    with scratch() as folder:
        within_4 = [_line("anidata", folder, size, 4) for size in sizes]
        few = max([size for size in sizes if size < MANY], default=0)
        for size, bits, ours in [(few, 6, None), (few, 8, None), (sizes[-1], 4, within_4[-1])]:
            if size:
                _beside_faiss(folder, size, bits, ours or _line("anidata", folder, size, bits))
        if len(sizes) > 1:
            slope = math.log(within_4[-1] / within_4[0]) / math.log(sizes[-1] / sizes[0])
            print(f"growth within 4 bits: time ~ size^{slope:.2f} from {sizes[0]:,} to {sizes[-1]:,}")
        crowded = _line("anidata", folder, sizes[-1], 4, crowd=CROWD)
        print(
            f"a tenth of {sizes[-1]:,} codes identical: {crowded / within_4[-1]:.2f} × the time", flush=True
        )


def _beside_faiss(folder: Path, size: int, bits: int, ours: float) -> None:
    tenth = size // 10
    theirs = _line("faiss", folder, tenth, bits)
    _line("anidata", folder, tenth, bits)
    own, other = (np.load(folder / f"{tool}-{tenth}-{bits}.npy") for tool in ("anidata", "faiss"))
    same = "the same pairs"
    if not np.array_equal(own, other):
        same = f"NOT the same pairs: {len(own)} and {len(other)}"
    ratio = ours / theirs
    print(
        f"{size:,} within {bits} bits: {ratio:.2f} × faiss's time for {tenth:,}, "
        f"{ratio / 100:.4f} × a pair compared; {same}",
        flush=True,
    )


def _line(tool: str, folder: Path, size: int, bits: int, crowd: float = 0.0) -> float:
    """Join in a process of its own; prints and gives its seconds."""
    path = folder / f"codes-{size}-{bits}-{crowd}.npy"
    if not path.exists():
        np.save(path, drawn(size, bits, crowd))
    python = sys.executable if tool == "anidata" else peers.python(tool)
    command = [python, __file__, tool, str(path), str(bits), str(folder / f"{tool}-{size}-{bits}.npy")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds, peak, count = done.stdout.split()
    name = tool + (", crowded" if crowd else "")
    print(
        f"{name:18s} {size:>11,} within {bits} bits {float(seconds):9.2f} s, "
        f"peak {float(peak):7.0f} MB, {int(count):,} pairs",
        flush=True,
    )
    return float(seconds)


# --- codes --------------------------------------------------------------------------------------------------


def drawn(size: int, bits: int, crowd: float) -> Words:
    """(size,) codes in no order."""
    rng = np.random.default_rng([size, bits])
    uniform = rng.integers(0, 1 << 64, size - size // 2, np.uint64, endpoint=False)
    codes = np.concatenate([uniform, *_like_phashes(size // 2, rng)])
    rng.shuffle(codes)
    near = rng.choice(size, int(PLANTED * size), replace=False)
    codes[near] = codes[rng.integers(0, size, len(near))] ^ _turned(len(near), bits, rng)
    codes[rng.choice(size, int(crowd * size), replace=False)] = codes[0]
    return codes


def _like_phashes(size: int, rng: np.random.Generator) -> Iterator[Words]:
    """Of 64 correlated numbers those above their median."""
    leaning = rng.normal(0, BIAS, 64).astype(np.float32)
    for start in range(0, size, CHUNK):
        count = min(CHUNK, size - start)
        shared = rng.standard_normal((count, 64 // BLOCK), np.float32).repeat(BLOCK, axis=1)
        own = rng.standard_normal((count, 64), np.float32)
        numbers = math.sqrt(ALIKE) * shared + math.sqrt(1 - ALIKE) * own + leaning
        above = numbers > np.median(numbers, axis=1)[:, None]
        yield np.packbits(above, axis=1).view(np.uint64).ravel()


def _turned(count: int, bits: int, rng: np.random.Generator) -> Words:
    """(count,) words with 1 … bits ones."""
    places = rng.permuted(np.tile(np.arange(64, dtype=np.uint64), (count, 1)), axis=1)[:, :bits]
    kept = np.arange(bits) < rng.integers(1, bits + 1, count)[:, None]
    return np.bitwise_or.reduce(np.where(kept, np.uint64(1) << places, np.uint64(0)), axis=1)


# --- joins, each in its own process -------------------------------------------------------------------------


def _anidata(codes: Words, bits: int) -> Pairs:
    from anidata.duplicates import hamming  # noqa: PLC0415

    pairs = hamming.pairs_within(codes, bits)
    return pairs.i, pairs.j


def _faiss(codes: Words, bits: int) -> Pairs:
    import faiss  # noqa: PLC0415

    faiss.omp_set_num_threads(2)
    rows, index = codes.view(np.uint8).reshape(-1, 8), faiss.IndexBinaryFlat(64)
    index.add(rows)
    chunks: list[Pairs] = []
    for start in range(0, len(rows), QUERIES):
        # It finds what is nearer than that.
        limits, _, labels = index.range_search(rows[start : start + QUERIES], bits + 1)
        asked = np.repeat(np.arange(start, start + len(limits) - 1), np.diff(limits.astype(np.int64)))
        after = labels > asked
        chunks.append((asked[after], labels[after].astype(np.int64)))
    return np.concatenate([i for i, _ in chunks]), np.concatenate([j for _, j in chunks])


def _join(tool: str, codes_file: str, bits: int, result: str) -> None:
    """Time a join, and write its pairs as i · 2^32 + j, sorted."""
    join, codes = {"anidata": _anidata, "faiss": _faiss}[tool], np.load(codes_file)
    join(np.unique(codes[:WARM]), bits)
    begun = time.perf_counter()
    i, j = join(np.unique(codes), bits)
    seconds = time.perf_counter() - begun
    # ru_maxrss is that of whoever started it, if larger.
    own = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    peak = (own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1000
    np.save(result, np.sort(i << 32 | j))
    print(seconds, peak, len(i))


if __name__ == "__main__":
    if sys.argv[1:2] in (["anidata"], ["faiss"]):
        _join(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        main()
