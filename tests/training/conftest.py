"""Fixtures: a data set of small drawings, and small baselines of every preset."""

import pytest
import torch

from anidata.training import models
from model_lab import SIZE, TINY, save_stable_diffusion
from training_lab import make_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """Twelve drawings of 32 px with their lines: 8 to train on, 3 to validate with, 1 to test with."""
    return make_dataset(tmp_path_factory.mktemp("drawings"))


@pytest.fixture
def one_thread():
    """Tiny tensors are slower on several threads, and much slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def stable(tmp_path_factory):
    """A VAE and a UNet in Stable Diffusion's form: settings of a model."""
    return save_stable_diffusion(tmp_path_factory.mktemp("stable"))


@pytest.fixture
def built(stable, one_thread):
    """A small baseline of a preset, always with the same weights."""

    def build(name, preset, condition=1, size=SIZE, **settings):
        torch.manual_seed(0)
        both = {**TINY.get(name, {}), **(stable if preset == "latent" else {}), **settings}
        return models.build(models.load(name), preset, both, condition, size)

    return build
