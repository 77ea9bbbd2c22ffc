"""The properties that the autoencoders promise."""

import pytest
import torch
from torch import nn

from anidata.errors import RecipeError
from model_lab import SIZE


def test_all_that_passes_the_bottleneck_is_its_numbers(built):
    network = built("autoencoder", "cae").networks["network"]
    seen = []
    squeeze = next(m for m in network.modules() if isinstance(m, nn.Conv2d) and m.out_channels == 64)
    squeeze.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    line = torch.rand(1, 1, SIZE, SIZE)
    network(line)
    kept = seen[0]
    squeeze.register_forward_hook(lambda *_: kept)
    assert torch.equal(network(line), network(torch.rand(1, 1, SIZE, SIZE)))  # whatever came before it


def test_a_regression_without_a_loss_is_refused(built):
    with pytest.raises(RecipeError, match=r"model\.loss: all of it is 0\. Set model\.loss\.l1=1"):
        built("autoencoder", "unet", loss={"l1": 0.0})
