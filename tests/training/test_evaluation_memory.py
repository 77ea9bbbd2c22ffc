"""Memory of an evaluation is flat: of a batch nothing is kept, and what is freed is given back."""

import ctypes
import gc
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anidata import registry
from anidata.training.evaluation import heap, intervals, scoring
from anidata.training.metrics import fid, kid, psnr
from planted import SIDE, TOLD, Drawings, Planted, blurred, faint

BATCHES, BATCH = 24, 4
PICTURES = BATCH * SIDE * SIDE * 3  # bytes of a batch as uint8
CPU = torch.device("cpu")
torch.set_num_threads(1)


class Long(Drawings):
    """Copies of the same drawings again and again, and what is held at the third batch and at the last."""

    def __init__(self):
        super().__init__()
        self.held = []

    def __len__(self):
        return BATCHES * BATCH

    def batches(self, _):
        for number in range(BATCHES):
            if number in (2, BATCHES - 1):
                self.held.append(held())
            yield [replace(page, color=page.color.copy()) for page in self.pages[:BATCH]]

    @property
    def growth(self):
        """Bytes from the third batch to the last."""
        return self.held[1] - self.held[0]


def held():
    """Bytes that Python, numpy and torch hold."""
    gc.collect()
    tensors = [one for one in gc.get_objects() if type(one) is torch.Tensor]
    sizes = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return sum(sizes.values()) + tracemalloc.get_traced_memory()[0]


def shelf(of_pictures=psnr.metric, network=lambda pictures: pictures.flatten(1)[:, :8]):
    """A metric of pictures, and two of sets that look through one network."""
    module = SimpleNamespace(FIGURES=psnr.FIGURES, EXTRACTOR="", metric=of_pictures)
    return scoring.Shelf({"psnr": module, "fid": fid, "kid": kid}, {"inception": network}, {}, CPU)


def scored(pages, colorizers, of):
    return scoring.score(pages, {TOLD: colorizers}, of, batch=BATCH, samples=2)


@pytest.fixture
def pages():
    tracemalloc.start()
    yield Long()
    tracemalloc.stop()


def test_what_is_held_at_a_batch_does_not_grow(pages):
    formulas = {name: registry.load("metrics", name) for name in ("ssim", "ciede2000", "style")}
    every = scoring.Shelf(formulas | dict(shelf().modules), shelf().networks, {}, CPU)
    scored(pages, [Planted("faint", faint), Planted("chance", faint, is_random=True)], every)
    assert pages.growth < 4 * PICTURES


def test_whatever_keeps_pictures_is_seen_to_grow(pages):
    kept = []

    def paint(page):
        kept.append(page)
        return faint(page)

    scored(pages, [Planted("keeps", paint)], shelf())
    assert pages.growth > 10 * PICTURES


def test_a_metric_that_keeps_what_it_compared_is_seen_to_grow(pages):
    kept = []

    def metric(compared):
        kept.append(compared.truths)
        return psnr.metric(compared)

    scored(pages, [Planted("faint", faint)], shelf(metric))
    assert pages.growth > 10 * PICTURES


def test_a_network_that_keeps_what_it_saw_is_seen_to_grow(pages):
    kept = []

    def network(pictures):
        kept.append(pictures)
        return pictures.flatten(1)[:, :8]

    scored(pages, [Planted("faint", faint)], shelf(network=network))
    assert pages.growth > 10 * PICTURES


def test_a_network_looks_once_for_all_metrics_of_sets_and_their_features_are_in_order():
    looked, pages = [], Drawings()

    def network(pictures):
        looked.append(len(pictures))
        return pictures.flatten(1)[:, 1000:1004]

    [table] = scored(pages, [Planted("blurred", blurred)], shelf(network=network))
    assert looked == [BATCH] * 4  # two batches: the truth, and one colorizer
    seen = [[page.color for page in pages.pages], [blurred(page) for page in pages.pages]]
    expected = [scoring.tensor(pictures, CPU).flatten(1)[:, 1000:1004] for pictures in seen]
    assert torch.equal(table.truths.of["inception"], expected[0])
    assert torch.equal(table.scores["blurred"].features.of["inception"], expected[1])


def test_figures_of_parts_stand_where_their_pictures_do():
    pages = Drawings()
    [table] = scored(pages, [Planted("chance", faint, is_random=True)], shelf())
    scores = table.scores["chance"]
    outputs = [
        np.concatenate([Planted("", faint, True).color(group, TOLD, n, again) for n, group in enumerate(of)])
        for again in range(2)
        for of in [list(pages.batches(BATCH))]
    ]
    truth = scoring.tensor([page.color for page in pages.pages], CPU)
    rows = [psnr.metric(scoring.Compared(scoring.tensor(of, CPU), truth))["psnr"] for of in outputs]
    assert np.array_equal(scores.figures["psnr"], rows[0].double())
    assert np.array_equal(scores.best["psnr"], torch.maximum(*rows).double())
    assert not np.array_equal(scores.best["psnr"], scores.figures["psnr"])
    assert scores.diversity["diversity"].shape == (len(pages),)
    assert (scores.diversity["diversity"] > 0).all()


def test_what_a_batch_has_freed_is_given_back_after_each(monkeypatch):
    given = []
    monkeypatch.setattr(heap, "give_back", lambda: given.append(True))
    scored(Drawings(), [Planted("faint", faint)], shelf())
    assert len(given) == 2 * 2  # of a table, and of the batch


FRAGMENTED = """
from pathlib import Path
from anidata import registry
from anidata.training.evaluation import heap

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

blocks = [b"x" * 100_000 for _ in range(2000)]
pinned = blocks[::20] + blocks[-1:]
del blocks
before = resident()
heap.give_back()
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
def test_freed_blocks_between_others_are_given_back():
    process = subprocess.run([sys.executable, "-c", FRAGMENTED], capture_output=True, text=True, check=True)
    assert int(process.stdout) > 150e6


def test_with_another_allocator_nothing_happens(monkeypatch):
    asked = []
    monkeypatch.setattr(ctypes, "CDLL", lambda name: asked.append(name) or SimpleNamespace())
    heap.give_back()  # a library without malloc_trim, as musl is
    monkeypatch.setattr(sys, "platform", "darwin")
    heap.give_back()
    assert len(asked) <= 1


def test_clusters_are_drawn_as_all_at_once():
    drawn = intervals._drawn(np.random.PCG64([3, 0]), 50, 40)
    numbers = np.random.Generator(np.random.PCG64([3, 0])).random((50, 40)) * 40
    expected = [np.bincount(row, minlength=40) for row in numbers.astype(np.int64)]
    assert np.array_equal(drawn, expected)
    assert (drawn.sum(axis=1) == 40).all()
