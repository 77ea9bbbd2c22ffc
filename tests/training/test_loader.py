"""The loader: the one crossing from pictures to tensors.

Its batches depend on the seed and on the images seen, on nothing else.
"""

import io
import multiprocessing
import os
import shutil
import signal
import warnings
from collections import Counter
from itertools import islice

import cv2
import numpy as np
import PIL.Image
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from anidata.dataset.samples import Samples, load_dataset
from anidata.errors import DatasetError, RecipeError, WorkerError
from anidata.training.data.augment import Augment
from anidata.training.data.loader import (
    TOO_MANY_WORKERS,
    WORKER_DIED,
    Loader,
    LoaderConfig,
    floats,
    to_tensor,
    to_uint8,
)
from loading_lab import SIZE, build, raw, seen, serving, tars

OFF = Augment(crop=1, flip=0, rotation=0, jitter=0)
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return build(tmp_path_factory.mktemp("loader"))


@pytest.fixture(scope="module")
def samples(dataset):
    return load_dataset(dataset)


@pytest.fixture(scope="module")
def stream(dataset):
    with serving(dataset) as url:
        yield load_dataset(url, styles=("xdog", "canny"))


def config(**settings):
    return LoaderConfig(**{"batch": 3, "size": 32, "workers": 0, **settings})


def first(loader, count, start=0):
    return list(islice(loader.batches(start), count))


def same(one, other):
    return len(one) == len(other) and all(
        a.keys == b.keys and torch.equal(a.color, b.color) and torch.equal(a.condition, b.condition)
        for a, b in zip(one, other, strict=True)
    )


def keys(batches):
    return [key for batch in batches for key in batch.keys]


# --- the crossing ----------------------------------------------------------------------------------


def test_every_level_survives_the_way_there_and_back():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = np.dstack([levels, levels.T, 255 - levels])
    assert np.array_equal(to_uint8(to_tensor(picture)), picture)
    assert np.array_equal(to_uint8(to_tensor(levels))[..., 0], levels)


def test_black_is_minus_one_and_white_is_one_and_channels_come_first():
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[..., 0] = 255
    tensor = to_tensor(picture)
    assert tensor.dtype == torch.float32
    assert tensor.shape == (3, 4, 6)
    assert (tensor[0] == 1).all()
    assert (tensor[1:] == -1).all()
    assert to_tensor(picture[..., 0]).shape == (1, 4, 6)


def test_on_the_way_back_values_are_clipped_and_rounded():
    values = torch.tensor([-3.0, -1.0, 0.0, 0.001, 1.0, 7.0]).view(1, 1, 6)
    assert to_uint8(values)[0, :, 0].tolist() == [0, 0, 128, 128, 255, 255]


def test_views_and_read_only_pictures_cross():
    picture = np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    picture.flags.writeable = False
    assert torch.equal(to_tensor(picture[::2, ::-1]), to_tensor(picture[::2, ::-1].copy()))


# --- batches ---------------------------------------------------------------------------------------


def test_a_batch_has_pictures_and_conditions_of_the_size_asked_for(samples):
    names = ("lineart", "hints", "reference", "gray")
    batch = first(Loader(samples, config(conditions=names)), 1)[0]
    assert batch.color.shape == (3, 3, 32, 32)
    assert batch.condition.shape == (3, 9, 32, 32)
    for tensor in (batch.color, batch.condition):
        assert tensor.dtype == torch.float32
        assert tensor.is_contiguous()
        assert tensor.abs().max() <= 1
    assert len(batch.keys) == 3


@pytest.mark.parametrize("of_a_url", [False, True])
def test_without_augmentation_a_batch_holds_the_pictures_of_the_set(dataset, samples, stream, of_a_url):
    """Read by tarfile and Pillow, halved by means of four."""
    loader = Loader(stream if of_a_url else samples, config(size=SIZE // 2, augment=OFF))
    expected = {key: seen(files) for key, files in raw(dataset).items()}
    for batch in first(loader, 3):
        for key, color, line in zip(batch.keys, batch.color, batch.condition, strict=True):
            assert np.abs(to_uint8(color) - halved(expected[key]["color"])).max() <= 0.51
            assert np.abs(to_uint8(line) - halved(expected[key]["lineart"]["xdog"])).max() <= 0.51


def halved(picture):
    """The means of four pixels."""
    side = SIZE // 2
    return np.atleast_3d(picture).reshape(side, 2, side, 2, -1).mean(axis=(1, 3))


def test_an_epoch_has_every_picture_once_and_the_next_has_another_order(samples):
    count = len(samples)
    seen_keys = keys(first(Loader(samples, config(batch=1)), 2 * count))
    assert sorted(seen_keys[:count]) == sorted(samples.keys) == sorted(seen_keys[count:])
    assert seen_keys[:count] != seen_keys[count:]


def test_a_picture_looks_different_in_each_epoch(samples):
    batches = first(Loader(samples, config(batch=1)), 2 * len(samples))
    looks = {}
    for batch in batches:
        looks.setdefault(batch.keys[0], []).append(batch.color)
    assert all(not torch.equal(one, other) for one, other in looks.values())


def test_another_seed_gives_another_order(samples):
    assert keys(first(Loader(samples, config()), 3)) != keys(first(Loader(samples, config(seed=1)), 3))


def test_a_batch_may_be_larger_than_the_set(samples):
    batch = first(Loader(samples, config(batch=2 * len(samples) + 1)), 1)[0]
    assert sorted(Counter(batch.keys).values())[-2:] == [2, 3]


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("of_a_url", [False, True])
def test_the_number_of_workers_changes_nothing(samples, stream, workers, of_a_url):
    source = stream if of_a_url else samples
    names = ("lineart", "hints", "reference")
    alone = first(Loader(source, config(conditions=names, styles="random")), 12)
    assert same(alone, first(Loader(source, config(conditions=names, styles="random", workers=workers)), 12))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("seen_before", [1, 4, 13])
@pytest.mark.parametrize("of_a_url", [False, True])
def test_a_run_goes_on_where_it_stopped(samples, stream, seen_before, workers, of_a_url):
    source = stream if of_a_url else samples
    undisturbed = first(Loader(source, config()), seen_before + 4)
    resumed = first(Loader(source, config(workers=workers)), 4, start=3 * seen_before)
    assert same(undisturbed[seen_before:], resumed)


def test_a_run_may_go_on_in_the_midst_of_a_batch(samples):
    undisturbed = keys(first(Loader(samples, config()), 6))
    assert keys(first(Loader(samples, config()), 4, start=5)) == undisturbed[5:17]


def test_processes_share_out_one_sequence(samples):
    whole = keys(first(Loader(samples, config(batch=4)), 6))
    parts = [keys(first(Loader(samples, config(batch=2), rank, 2), 6)) for rank in range(2)]
    assert [key for pair in zip(*parts, strict=True) for key in pair] == whole


def test_the_processes_of_a_stream_share_out_an_epoch(stream):
    loaders = [Loader(stream, config(batch=1), rank, 2) for rank in range(2)]
    counts = [len(stream.shuffled(0, 0, rank, 2)) for rank in range(2)]
    one, other = (keys(first(loader, count)) for loader, count in zip(loaders, counts, strict=True))
    assert sorted(one + other) == sorted(sample["key"] for sample in stream)


def test_the_global_generator_is_left_alone(samples):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first(Loader(samples, config(workers=1)), 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_loader_itself_can_be_iterated(samples):
    loader = Loader(samples, config())
    assert same(list(islice(loader, 2)), first(loader, 2))


def test_the_set_can_be_given_to_a_dataloader_without_this_loader(samples):
    """The protocol is PyTorch's own."""
    assert len(list(DataLoader(samples, batch_size=None))) == len(samples)


def test_pictures_of_other_shapes_than_the_square_are_cropped(tmp_path):
    dataset = build(tmp_path, "lineart.fit=bucket", "lineart.size=128")
    shapes = {PIL.Image.open(io.BytesIO(f["color.jpg"])).size for f in raw(dataset).values()}
    assert len(shapes) > 1
    batch = first(Loader(load_dataset(dataset), config(batch=8)), 1)[0]
    assert batch.color.shape == (8, 3, 32, 32)


# --- validation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1])
def test_validation_takes_the_first_pictures_by_key_whole_and_the_same_in_every_run(samples, workers):
    names = ("lineart", "hints")
    one = Loader(samples, config(conditions=names)).validation(5)
    turning = Augment(rotation=90)
    others = config(conditions=names, seed=7, workers=workers, styles="random", augment=turning)
    other = Loader(samples, others, 1, 2).validation(5)
    assert [len(b.keys) for b in one] == [3, 2]
    assert keys(one) == sorted(samples.keys)[:5]
    assert same(one, other)


def test_validation_shows_the_picture_as_it_is(dataset, samples):
    batch = Loader(samples, config(size=SIZE)).validation(2)[0]
    for key, color in zip(batch.keys, batch.color, strict=True):
        assert np.array_equal(to_uint8(color), seen(raw(dataset)[key])["color"])


def test_there_are_no_more_pictures_to_validate_with_than_the_set_has(samples):
    assert len(keys(Loader(samples, config()).validation(1000))) == len(samples)


def test_validation_of_a_stream_takes_the_first_that_come(stream):
    assert keys(Loader(stream, config()).validation(4)) == [sample["key"] for sample in islice(stream, 4)]


# --- styles ----------------------------------------------------------------------------------------


def lines_of(source, dataset, **settings):
    """Which style each of the first pictures came in."""
    drawn = {key: seen(files)["lineart"] for key, files in raw(dataset).items()}
    for batch in first(Loader(source, config(size=SIZE, augment=OFF, **settings)), 12):
        for key, line in zip(batch.keys, to_uint8(batch.condition)[..., 0], strict=True):
            yield next(style for style, picture in drawn[key].items() if np.array_equal(line, picture))


@pytest.mark.parametrize("of_a_url", [False, True])
def test_a_style_is_drawn_for_each_picture_and_epoch(dataset, samples, stream, of_a_url):
    source = stream if of_a_url else samples
    assert set(lines_of(source, dataset)) == {"xdog"}
    counts = Counter(lines_of(source, dataset, styles="random"))
    assert set(counts) == {"xdog", "canny"}
    assert min(counts.values()) > 8  # of 36


def test_lines_are_not_read_where_no_condition_takes_them(samples, monkeypatch):
    asked = []
    read = Samples.read

    def watched(self, index, styles):
        asked.append(tuple(styles))
        return read(self, index, styles)

    monkeypatch.setattr(Samples, "read", watched)
    first(Loader(samples, config(conditions=("gray", "hints"), styles="random")), 2)
    assert set(asked) == {()}


# --- workers ---------------------------------------------------------------------------------------


def children():
    return {child.pid for child in multiprocessing.active_children()}


def started(samples, workers):
    """Batches of which the first is taken, and the workers that read them."""
    before = children()
    batches = Loader(samples, config(workers=workers)).batches()
    next(batches)
    return batches, children() - before


@pytest.mark.slow  # torch looks after its workers every five seconds
def test_a_worker_that_is_killed_is_a_typed_error_where_the_batch_is_awaited(samples):
    batches, (worker,) = started(samples, 1)
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(WorkerError, match=r"--set train\.workers=0"):
        list(islice(batches, 1000))


def test_a_worker_does_not_wait_for_threads_that_opencv_had_before(samples):
    threads = cv2.getNumThreads()
    cv2.setNumThreads(4)
    try:
        large = np.zeros((2000, 2000, 3), np.uint8)
        cv2.resize(large, (500, 500), interpolation=cv2.INTER_AREA)  # now there are threads
        assert len(first(Loader(samples, config(workers=1)), 2)) == 2
        assert cv2.getNumThreads() == 4
    finally:
        cv2.setNumThreads(threads)


class Dying(Dataset):
    """Its worker ends without a word."""

    def __getitem__(self, index):
        os._exit(1)

    def __len__(self):
        return 1


@pytest.mark.slow  # torch looks after its workers every five seconds
def test_torch_says_of_a_dead_worker_what_the_loader_looks_for():
    batches = iter(DataLoader(Dying(), num_workers=1, multiprocessing_context="fork"))
    with pytest.raises(RuntimeError, match=f"^{WORKER_DIED}"):
        next(batches)


def test_torch_warns_of_more_workers_than_processors_and_the_loader_does_not(samples, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    with pytest.warns(UserWarning, match=f"^{TOO_MANY_WORKERS}"):
        DataLoader(samples, num_workers=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(first(Loader(samples, config(workers=2)), 1)) == 1


def test_ctrl_c_is_left_to_the_parent(samples):
    batches, (worker,) = started(samples, 1)
    os.kill(worker, signal.SIGINT)
    assert len(list(islice(batches, 30))) == 30


def test_the_workers_end_with_the_batches(samples):
    batches, workers = started(samples, 2)
    assert len(workers) == 2
    del batches
    assert not workers & children()


# --- what goes wrong -------------------------------------------------------------------------------


def test_an_unknown_condition_fails_before_the_first_picture(samples):
    with pytest.raises(RecipeError, match="Did you mean 'lineart'"):
        Loader(samples, config(conditions=("linart",)))


def test_a_set_without_lineart_fails_before_the_first_picture(dataset):
    without = load_dataset(dataset, styles=())
    without.styles = ()
    with pytest.raises(DatasetError, match=r"no lineart\. Draw it with: anidata extract-lineart WORK"):
        Loader(without, config())
    Loader(without, config(conditions=("gray",)))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_sample_is_a_typed_error_without_a_traceback_in_it(dataset, tmp_path, workers):
    copy = shutil.copytree(dataset, tmp_path / "copy")
    for tar in tars(copy):
        data = tar.read_bytes()
        tar.write_bytes(data.replace(b"\xff\xd8\xff", b"\0\0\0"))  # how a JPEG begins
    with pytest.raises(DatasetError, match=r"color\.jpg") as caught:
        first(Loader(load_dataset(copy), config(workers=workers)), 1)
    assert "Traceback" not in str(caught.value)
    assert "anidata audit" in str(caught.value)


def test_fewer_shards_than_processes_is_a_typed_error_and_fewer_than_workers_none(dataset):
    with serving(dataset) as url:
        stream = load_dataset(url, "val")
        shards = len(stream.shards())
        with pytest.raises(DatasetError, match=f"{shards} shards for {shards + 1} processes"):
            first(Loader(stream, config(), shards, shards + 1), 1)
        assert same(first(Loader(stream, config(workers=shards + 1)), 2), first(Loader(stream, config()), 2))


# --- ranges, as README and docstrings state them ---------------------------------------------------


def test_pictures_are_uint8_up_to_255_and_batches_floats_from_black_minus_1_to_white_1(dataset):
    sample = load_dataset(dataset)[0]
    for picture in (sample["color"], *sample["lineart"].values()):
        assert picture.dtype == np.uint8
        assert picture.max() == 255  # paper
        assert picture.min() < 100  # ink
    names = ("lineart", "gray", "hints", "reference", "none")
    settings = LoaderConfig(batch=4, size=32, conditions=names, workers=0)
    batch = next(Loader(load_dataset(dataset), settings).batches())
    for tensor in (batch.color, batch.condition[:, :2], batch.condition[:, 6:9]):
        assert tensor.dtype == torch.float32
        assert tensor.max() == 1
        assert -1 <= tensor.min() < -0.2
    assert set(batch.condition[:, 5].unique().tolist()) <= {0.0, 1.0}
    assert not batch.condition[:, 9].any()


def test_each_level_crosses_to_its_float_and_back():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    tensor = to_tensor(levels)
    assert (tensor.min().item(), tensor.max().item()) == (-1, 1)
    assert np.array_equal(to_uint8(tensor)[..., 0], levels)


@pytest.mark.parametrize("thing", [load_dataset, to_tensor, to_uint8, floats])
def test_a_range_is_said_where_pictures_come_in(thing):
    assert "0..255" in thing.__doc__
    assert "[-1, 1]" in thing.__doc__
