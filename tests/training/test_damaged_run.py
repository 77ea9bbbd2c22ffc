"""Damaged files of a run: the same command goes on, or says which file to delete; no traceback."""

import pytest

from anidata.errors import AnidataError
from damage_lab import damage, files
from training_lab import run

SETTINGS = ["train.checkpoint_every=16", "train.validate_every=16", "train.log_every=8", "train.keep_best=9"]


def error_of(dataset, home):
    """The typed error of the same command, empty where it goes well; what else is raised is a traceback."""
    try:
        run(dataset, home, SETTINGS)
    except AnidataError as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cut", "empty", "swapped"])
def test_after_any_damage_training_goes_on_or_says_which_file_to_delete(dataset, tmp_path, how):
    home = tmp_path / "run"
    run(dataset, home, SETTINGS)
    whole = {path: path.read_bytes() for path in files(home)}
    weights = (home / "model.safetensors").read_bytes()
    for path in whole:
        if damage(path, how):
            told = error_of(dataset, home)
            assert path.name in told if told else (home / "model.safetensors").read_bytes() == weights, path
        for other, content in whole.items():
            other.write_bytes(content)


def test_damaged_weights_are_made_again_from_their_checkpoint(dataset, tmp_path):
    run(dataset, tmp_path / "run", SETTINGS)
    weights = tmp_path / "run/model.safetensors"
    before = weights.read_bytes()
    for damaged in (b"", before[:40], b"[]"):
        weights.write_bytes(damaged)
        assert run(dataset, tmp_path / "run", SETTINGS).already
        assert weights.read_bytes() == before


def test_a_checkpoint_in_anothers_place_is_told_of(dataset, tmp_path):
    run(dataset, tmp_path / "run", SETTINGS)
    first, *_, last = sorted((tmp_path / "run/checkpoints").iterdir())
    last.write_bytes(first.read_bytes())
    with pytest.raises(
        AnidataError, match=rf"{last.name} is that of .* images\. Delete it: training goes on"
    ):
        run(dataset, tmp_path / "run", SETTINGS)
