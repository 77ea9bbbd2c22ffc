"""Learning without pairs: what the loader gives, what training does and says; it goes on to the bit."""

from itertools import islice, pairwise

import numpy as np
import PIL.Image
import pytest
import torch
from typer.testing import CliRunner

import anidata.cli.entry
from anidata.dataset.samples import load_dataset
from anidata.errors import DatasetError, RecipeError
from anidata.training.data import apart
from anidata.training.data.augment import Augment
from anidata.training.data.loader import Loader, LoaderConfig, to_uint8
from anidata.training.run.folder import Run
from drawings import drawing, save
from loading_lab import SIZE, build, serving
from training_lab import TINY
from training_lab import run as trained

OFF = Augment(crop=1, flip=0, rotation=0, jitter=0)
SMALL = ("channels=[4]", "blocks=1", "discriminator=[4,8]", "pool=3")
SETTINGS = (
    "train.images=16",
    "train.batch=2",
    "train.size=16",
    "train.schedule=constant",
    "train.workers=0",
    "train.validate_every=8",
    "train.checkpoint_every=4",
    "train.log_every=4",
    *(f"model.{setting}" for setting in SMALL),
)
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """24 drawings of 64 px without pairs, in tars of a few each."""
    return build(tmp_path_factory.mktemp("apart"), "shard.unpaired=true", count=24)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Twelve drawings with their lines."""
    return build(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def url(dataset):
    with serving(dataset) as address:
        yield address


@pytest.fixture(scope="module")
def pairs_url(pairs):
    with serving(pairs) as address:
        yield address


def config(**settings):
    return LoaderConfig(**{"batch": 3, "size": SIZE, "workers": 0, "augment": OFF, **settings})


def loader(place, rank=0, ranks=1, **settings):
    """Colors and lines of an unpaired set."""
    colors, lines = (load_dataset(place, config=name) for name in ("color", "lineart"))
    return Loader(colors, config(**settings), rank, ranks, lines=lines)


def of_pairs(place, **settings):
    samples = load_dataset(place)
    return Loader(samples, config(**settings), lines=samples)


def first(batches, count, start=0):
    return list(islice(batches.batches(start), count))


def same(one, other):
    return len(one) == len(other) and all(
        a.keys == b.keys and torch.equal(a.color, b.color) and torch.equal(a.condition, b.condition)
        for a, b in zip(one, other, strict=True)
    )


def by_pixels(place, **chosen):
    """Pixels → key of all colors and lines that a set has."""
    known = {}
    for sample in load_dataset(place, **chosen):
        if "color" in sample:
            known[sample["color"].tobytes()] = sample["key"]
        for line in sample["lineart"].values():
            known[line.tobytes()] = sample["key"]
    return known


def members(batches, known):
    """The keys of the colors, and of the lines beside them, in order."""
    colors = [known[rgb.tobytes()] for batch in batches for rgb in to_uint8(batch.color)]
    lines = [known[page[..., 0].tobytes()] for batch in batches for page in to_uint8(batch.condition)]
    assert colors == [key for batch in batches for key in batch.keys]
    return colors, lines


# --- the loader: two sets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("of_a_url", [False, True])
def test_an_epoch_of_each_has_all_of_its_pictures_and_is_shuffled_anew(dataset, url, of_a_url):
    place = url if of_a_url else dataset
    known = by_pixels(dataset, config="color") | by_pixels(dataset, config="lineart")
    counts = [len(load_dataset(dataset, config=name)) for name in ("color", "lineart")]
    assert counts[0] != counts[1]
    colors, lines = members(first(loader(place, batch=1), 6 * max(counts)), known)
    if not of_a_url:  # in a stream each lane has epochs of its own
        for keys, count in zip((colors, lines), counts, strict=True):
            epochs = [keys[n : n + count] for n in range(0, 4 * count, count)]
            assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
            assert len(set(epochs[0])) == count
            assert all(a != b for a, b in pairwise(epochs))
    assert set(colors) == set(by_pixels(dataset, config="color").values())
    assert set(lines) == set(by_pixels(dataset, config="lineart").values())
    assert not set(colors) & set(lines)


def test_equally_long_sets_are_not_in_step(dataset):
    """The same picture would come with the same line in every epoch."""
    colors = load_dataset(dataset, config="color")
    twin = load_dataset(dataset, config="color")  # as long, and another object
    one, other = apart.orders(colors, twin, 0)
    count = len(colors)
    partners = {}
    for image in range(6 * count):
        partners.setdefault(one.at(image)[1], set()).add(other.at(image)[1])
    assert max(map(len, partners.values())) > 3


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("seen_before", [1, 4, 13])
@pytest.mark.parametrize("of_a_url", [False, True])
def test_batches_depend_on_what_was_seen_and_not_on_the_workers(dataset, url, seen_before, workers, of_a_url):
    place = url if of_a_url else dataset
    undisturbed = first(loader(place, augment=Augment()), seen_before + 4)
    resumed = first(loader(place, workers=workers, augment=Augment()), 4, start=3 * seen_before)
    assert same(undisturbed[seen_before:], resumed)


def test_processes_share_out_one_sequence(dataset):
    whole = first(loader(dataset, batch=4), 5)
    parts = [first(loader(dataset, rank, 2, batch=2), 5) for rank in range(2)]
    for batch, one, other in zip(whole, *parts, strict=True):
        assert torch.equal(batch.color[::2], one.color)
        assert torch.equal(batch.condition[1::2], other.condition)


def test_another_seed_gives_other_company(dataset):
    known = by_pixels(dataset, config="color") | by_pixels(dataset, config="lineart")
    one, other = (members(first(loader(dataset, seed=seed), 6), known) for seed in (0, 1))
    assert dict(zip(*one, strict=True)) != dict(zip(*other, strict=True))


def test_color_and_line_are_viewed_each_in_its_own_way(dataset):
    """Mirrored by half, alike by a quarter each way: the views are independent."""
    known = by_pixels(dataset, config="color") | by_pixels(dataset, config="lineart")
    flipping = Augment(crop=1, flip=0.5, rotation=0, jitter=0)
    views = set()
    for batch in first(loader(dataset, augment=flipping), 20):
        for rgb, page in zip(to_uint8(batch.color), to_uint8(batch.condition), strict=True):
            views.add((rgb.tobytes() in known, page[..., 0].tobytes() in known))
    assert len(views) == 4


@pytest.mark.parametrize("of_a_url", [False, True])
def test_lines_alone_are_validated_with_and_have_no_truth(dataset, url, of_a_url):
    lines = load_dataset(url if of_a_url else dataset, "val", config="lineart")
    validating = Loader(lines, config())
    batches = validating.validation(100)
    assert not validating.has_truth
    assert sum(len(batch.keys) for batch in batches) == len(lines)
    known = by_pixels(dataset, split="val", config="lineart")
    for batch in batches:
        assert (batch.color == 1).all()
        assert [known[p[..., 0].tobytes()] for p in to_uint8(batch.condition)] == list(batch.keys)


# --- the loader: one set of pairs ---------------------------------------------------------------------------


@pytest.mark.parametrize("of_a_url", [False, True])
def test_of_pairs_each_picture_has_the_line_of_another(pairs, pairs_url, of_a_url):
    place = pairs_url if of_a_url else pairs
    known, count = by_pixels(pairs), len(load_dataset(pairs))
    colors, lines = members(first(of_pairs(place, batch=1), 12 * count), known)
    assert all(color != line for color, line in zip(colors, lines, strict=True))
    assert set(colors) == set(lines) == set(known.values())
    company = {color: {b for a, b in zip(colors, lines, strict=True) if a == color} for color in colors}
    assert min(map(len, company.values())) > 1


@pytest.mark.parametrize("seen_before", [1, 3, 8])
@pytest.mark.parametrize("of_a_url", [False, True])
def test_of_pairs_it_goes_on_where_it_stopped(pairs, pairs_url, seen_before, of_a_url):
    place = pairs_url if of_a_url else pairs
    undisturbed = first(of_pairs(place), seen_before + 4)
    assert same(undisturbed[seen_before:], first(of_pairs(place), 4, start=3 * seen_before))


def test_where_two_epochs_meet_a_picture_is_not_given_its_own_line():
    met = [(0, {"key": "a"}), (0, {"key": "b"}), (1, {"key": "b"}), (1, {"key": "a"}), (1, {"key": "c"})]
    assert [(own[1]["key"], other[1]["key"]) for own, other in apart.others(iter(met))] == [
        ("a", "b"),
        ("b", "a"),
        ("b", "a"),
    ]


# --- training -----------------------------------------------------------------------------------------------


def go(place, run, *settings, preset="cyclegan", model="gan"):
    return trained(place, run, (*SETTINGS, *settings), model=model, preset=preset)


def tensors(run, images=16):
    """What follows a safetensors file's header: the header has the seconds."""
    data = (run / f"checkpoints/{images:012d}.safetensors").read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory):
    run = tmp_path_factory.mktemp("whole") / "RUN"
    return run, go(dataset, run)


def test_a_run_without_pairs_ends_without_figures_and_with_its_newest_weights(whole, dataset):
    run, outcome = whole
    assert outcome.images == 16
    assert outcome.scores == []
    assert "val/" not in (run / "metrics.csv").read_text()
    assert [p.name for p in sorted((run / "samples").glob("*"))] == ["000000000008.png", "000000000016.png"]
    count = min(8, len(load_dataset(dataset, "val", config="lineart")))
    sheet = np.array(PIL.Image.open(run / "samples/000000000016.png"))
    assert sheet.shape == (count * 18 - 2, 2 * 18 - 2, 3)  # line and output: no truth
    card = (run / "README.md").read_text()
    assert "no pairs, so there is no truth" in card
    assert "after 16 images" in card
    assert "validation:" not in str(outcome)
    assert sorted(Run(run).checkpoints()) == [12, 16]


def test_it_says_once_that_there_is_no_truth(dataset, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("ANIDATA_QUIET", raising=False)
    go(dataset, tmp_path / "RUN", "train.images=4")
    said = capsys.readouterr().err
    assert said.count("the data set has no pairs, so no truth") == 1
    assert "psnr" not in said


@pytest.mark.parametrize("stop", [4, 8])
def test_a_run_without_pairs_goes_on_to_the_bit(dataset, whole, tmp_path, stop):
    """With its pool: it is full after four images, and half of what is shown is from it."""
    run = tmp_path / "RUN"
    go(dataset, run, f"train.images={stop}")
    go(dataset, run)
    assert tensors(run) == tensors(whole[0])
    assert (run / "model.safetensors").read_bytes() == (whole[0] / "model.safetensors").read_bytes()


def test_a_run_on_a_stream_without_pairs_goes_on_to_the_bit(url, tmp_path):
    go(url, tmp_path / "A")
    go(url, tmp_path / "B", "train.images=6")
    go(url, tmp_path / "B")
    assert tensors(tmp_path / "A") == tensors(tmp_path / "B")


def test_such_a_run_colors_pictures_by_lines_of_its_set_s_style(whole, tmp_path):
    assert Run(whole[0]).surroundings()["styles"] == ["xdog", "canny"]
    save(tmp_path / "in/a.png", drawing(1, 60, 40))
    words = ["colorize", str(whole[0]), str(tmp_path / "in/a.png"), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(anidata.cli.entry.app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert PIL.Image.open(tmp_path / "out/a.png").size == (60, 40)


def test_on_pairs_it_says_once_that_lines_are_those_of_others_and_has_figures(
    pairs, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv("ANIDATA_QUIET", raising=False)
    outcome = go(pairs, tmp_path / "RUN", "train.images=8")
    assert capsys.readouterr().err.count("each picture comes with the line of another") == 1
    assert outcome.scores[-1]["psnr"] > 0
    trained(pairs, tmp_path / "P", ("train.images=4", "train.size=16", "train.batch=2"))  # of pairs
    assert "line of another" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "preset"), [("gan", "default"), ("autoencoder", "default"), (TINY, "default")]
)
def test_a_model_of_pairs_is_refused_before_anything_is_written(dataset, tmp_path, model, preset):
    message = r"has no pairs, and .* learns from pairs\. .*--preset cyclegan; .*--set shard\.unpaired=false"
    with pytest.raises(DatasetError, match=message):
        trained(dataset, tmp_path / "RUN", ("train.size=64",), model=model, preset=preset)
    assert not (tmp_path / "RUN").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.patience=3", r"train\.patience: .* no figure to wait for\. Set train\.patience=0"),
        ("train.metric=ssim", r"train\.metric: .* no truth that ssim could be taken against\. Leave"),
        ('train.conditions=["gray"]', r"train\.conditions: .*Set train\.conditions=\[\"lineart\"\]"),
    ],
)
def test_settings_that_ask_for_a_truth_are_refused(dataset, tmp_path, setting, message):
    with pytest.raises(RecipeError, match=message):
        go(dataset, tmp_path / "RUN", setting)
    assert not (tmp_path / "RUN").exists()


def test_a_split_that_has_no_line_is_told_with_the_splits_there_are(dataset, tmp_path):
    message = r"config 'lineart': the split 'none' has no samples\. Choose among: train \(\d+\), val \(\d+\)"
    with pytest.raises(DatasetError, match=message):
        go(dataset, tmp_path / "RUN", "train.validation=none")
    go(dataset, tmp_path / "RUN", "train.validation=none", "train.validate_every=0", "train.images=2")
    assert "No validation was asked for" in (tmp_path / "RUN/README.md").read_text()
