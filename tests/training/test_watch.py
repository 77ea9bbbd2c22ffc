"""A training that collapses says so within 1,000 steps, and a healthy one doesn't."""

import csv

import pytest
import torch

from anidata.training import losses, watch
from anidata.training.watch import Diversity, Watch
from model_lab import batch, drawn
from training_lab import run as trained

SMALL = (
    "train.batch=4",
    "train.size=32",
    "train.workers=0",
    "train.validate_every=0",
    "train.log_every=80",
    "model.channels=[8,16]",
)


def pictures(count, seed=0):
    return torch.rand(count, 3, 32, 32, generator=drawn(seed)) * torch.rand(
        count, 1, 1, 1, generator=drawn(9)
    )


# --- figures ---------------------------------------------------------------------------------------


def test_outputs_that_are_their_truths_are_as_diverse_and_those_of_one_kind_are_not_at_all():
    truth = pictures(20)
    assert Diversity()(truth, truth)[watch.DIVERSITY].item() == pytest.approx(1)
    assert Diversity()(truth * 0.25 + 0.5, truth)[watch.DIVERSITY].item() == pytest.approx(0.25, rel=1e-3)
    assert Diversity()(truth[:1].expand(20, -1, -1, -1), truth)[watch.DIVERSITY].item() == 0


def test_pictures_that_come_one_by_one_are_as_diverse_as_together():
    truth, output = pictures(20), pictures(20, seed=3)
    alone = Diversity()
    for n in range(20):
        figure = alone(output[n : n + 1], truth[n : n + 1])
        assert bool(figure) == (n + 1 >= watch.LEAST)
    assert figure[watch.DIVERSITY].item() == pytest.approx(
        Diversity()(output, truth)[watch.DIVERSITY].item(), rel=1e-5
    )


def test_truths_that_are_all_the_same_are_no_reproach_to_outputs():
    same = torch.zeros(20, 3, 32, 32)
    assert Diversity()(pictures(20), same)[watch.DIVERSITY].item() > watch.SAME


@pytest.mark.parametrize("name", losses.ADVERSARIAL)
def test_a_discriminator_is_right_by_the_middle_of_its_game(name):
    game = losses.ADVERSARIAL[name]
    real = game.middle + torch.tensor([1.0, 2.0, 3.0, -1.0])
    fake = game.middle + torch.tensor([[-1.0, 2.0], [3.0, 1.0]])
    right = losses.right(game, [(real, fake)])
    assert (right[watch.REAL].item(), right[watch.FAKE].item()) == (0.75, 0.25)


@pytest.mark.parametrize("preset", ["default", "pix2pix", "cyclegan"])
def test_every_gan_gives_the_figures_that_are_watched(built, preset):
    baseline = built("gan", preset)
    for seed in range(9):
        figures = baseline.step(batch(seed=seed), drawn(), lambda *_: None)
    assert {watch.REAL, watch.FAKE, watch.DIVERSITY} <= figures.keys()
    assert all(0 <= float(figures[name]) <= 1 for name in (watch.REAL, watch.FAKE))
    assert not any(figure.requires_grad for figure in figures.values())


# --- what is said ----------------------------------------------------------------------------------

HEALTHY = {watch.REAL: 0.7, watch.FAKE: 0.8, watch.DIVERSITY: 0.6}
COLLAPSED = {
    "outputs": ({watch.DIVERSITY: 0.02}, "outputs differ among themselves 2.0% as much as the true pictures"),
    "judge": ({watch.REAL: 1.0, watch.FAKE: 0.999}, "the generator learns nothing from it"),
    "blind to fakes": ({watch.REAL: 1.0, watch.FAKE: 0.0}, "it says the same of all"),
    "blind to truths": ({watch.REAL: 0.0, watch.FAKE: 1.0}, "it says the same of all"),
}


def watched(figures_of, steps):
    """What a watch says of so many steps: (step, sentence)."""
    looking = Watch()
    return [
        (step, sentence)
        for step in range(1, steps + 1)
        for sentence in looking.add({name: torch.tensor(v) for name, v in figures_of(step).items()})
    ]


@pytest.mark.parametrize("kind", COLLAPSED)
@pytest.mark.parametrize("onset", [0, 1, 333, 1499])
def test_a_planted_collapse_is_named_once_and_within_a_thousand_steps(kind, onset):
    figures, sentence = COLLAPSED[kind]
    ((step, said),) = watched(lambda step: {**HEALTHY, **(figures if step > onset else {})}, 4000)
    assert sentence in said
    assert "--set model." in said
    assert onset < step <= onset + 1000


def test_a_healthy_training_and_one_without_figures_say_nothing():
    assert watched(lambda _: HEALTHY, 3000) == []
    assert watched(lambda _: {"loss": 0.0}, 3000) == []


def test_a_bad_moment_is_no_collapse_and_one_that_comes_again_is_said_again():
    figures = {**HEALTHY, **COLLAPSED["outputs"][0]}
    assert watched(lambda step: figures if 250 < step <= 500 else HEALTHY, 2000) == []
    assert len(watched(lambda step: HEALTHY if 1000 < step <= 1500 else figures, 3000)) == 2


# --- whole trainings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "settings", "sentence"),
    [
        ("gan", ("model.lr=0", "model.discriminator=[8,16]"), "outputs differ among themselves"),
        ("autoencoder", ("model.lr=0", "model.loss.l1=1"), "outputs differ among themselves"),
        ("gan", ("model.discriminator=[8,16]",), ""),
    ],
)
def test_a_run_logs_the_figures_and_says_what_has_collapsed(
    model, settings, sentence, dataset, tmp_path, monkeypatch
):
    """With windows of a tenth, which a test can wait for."""
    monkeypatch.setattr(watch, "WINDOW", 25)
    if sentence:  # a network that gives one gray
        monkeypatch.setattr(torch.nn.SiLU, "forward", lambda _, x: x * 0)
    done = trained(
        dataset, tmp_path / "run", (*SMALL, "train.images=320", *settings), model=model, preset="smoke"
    )
    assert any(sentence in warning for warning in done.warnings) if sentence else done.warnings == []
    assert done.to_json()["warnings"] == done.warnings
    assert all(f"warning: {warning}" in str(done) for warning in done.warnings)
    with open(tmp_path / "run/metrics.csv", encoding="utf-8") as file:
        names = {row["name"] for row in csv.DictReader(file)}
    asked = {"outputs/diversity"} | ({"judge/real", "judge/fake"} if model == "gan" else set())
    assert asked <= names
    assert "loss/outputs/diversity" not in names
