"""Checkpoints hold all that a training goes on from, in files that safetensors itself reads.

None is lost or mistaken for another's.
"""

import ast
import json
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import anidata
import training_lab as labs
from anidata.errors import FormatError, RunError, StorageError
from anidata.training import models
from anidata.training.baseline import Batch
from anidata.training.ema import Ema
from anidata.training.loop import State, prepare, train
from anidata.training.run import checkpoints, weights
from anidata.training.run.folder import Run
from training_lab import batches, config, same, tiny
from training_lab import weights as all_weights

FACTS = {"images": 12, "seconds": 1.5, "scores": [{"images": 8, "psnr": 20.25}]}


def trained(images=12, settings=None, baseline=None, state=None, **model):
    """The tiny model after some images, with its averages."""
    settings = settings or config()
    baseline = baseline or tiny(**model)
    if state is None:
        prepare(baseline, settings)
        state = State(ema=Ema({"painter": baseline.painter}, 100))
    for step in train(baseline, batches(start=state.images), settings, state):
        if step.images == images:
            break
    return baseline, state


def test_a_checkpoint_is_a_safetensors_file_of_all_weights(tmp_path):
    baseline, state = trained()
    checkpoints.save(tmp_path / "c.safetensors", baseline, state.ema.tensors, FACTS)
    stored = load_file(tmp_path / "c.safetensors")
    assert same(
        {f"networks.{k}": t for k, t in all_weights(baseline).items()},
        {k: t for k, t in stored.items() if k.startswith("networks")},
    )
    assert torch.equal(stored["ema.painter.0.weight"], state.ema.tensors["painter"]["0.weight"])
    moment = baseline.optimizers["painter"].state[baseline.painter[0].weight]["exp_avg"]
    assert torch.equal(stored["optimizers.painter.0.exp_avg"], moment)


def test_any_tensor_is_read_by_safetensors_as_it_was_written(tmp_path):
    tensors = {
        "halves": torch.randn(3, 5).bfloat16(),
        "switches": torch.tensor([True, False, True]),
        "one": torch.tensor(7, dtype=torch.int64),
        "none": torch.zeros(0, 4),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "wide": torch.randn(2, 3, 4, 5, dtype=torch.float64),
        "last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "turned": torch.randn(4, 6).T,
        "half": torch.randn(1).half(),
    }
    checkpoints.write(tmp_path / "t.safetensors", tensors, {"ä": [1]})
    assert same(load_file(tmp_path / "t.safetensors"), tensors)
    with safe_open(tmp_path / "t.safetensors", "pt") as file:
        assert json.loads(file.metadata()["anidata"]) == {"ä": [1]}


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in "ab":
        baseline, state = trained()
        checkpoints.save(tmp_path / name, baseline, state.ema.tensors, FACTS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_training_goes_on_to_the_bit(optimizer, channels_last, tmp_path):
    settings = config(channels_last=channels_last)
    whole, whole_state = trained(24, settings, optimizer=optimizer)
    half, state = trained(12, settings, optimizer=optimizer)
    checkpoints.save(tmp_path / "c.safetensors", half, state.ema.tensors, FACTS)
    fresh = tiny(seed=5, optimizer=optimizer)
    prepare(fresh, settings)
    fresh_state = State(images=12, ema=Ema({"painter": fresh.painter}, 100))
    assert checkpoints.load(tmp_path / "c.safetensors", fresh, fresh_state.ema.tensors) == FACTS
    trained(24, settings, fresh, fresh_state)
    assert same(all_weights(whole), all_weights(fresh))
    assert same(whole_state.ema.tensors["painter"], fresh_state.ema.tensors["painter"])
    weight = fresh.painter[0].weight
    kept = fresh.optimizers["painter"].state[weight].values()
    moments = [m for m in kept if isinstance(m, torch.Tensor) and m.ndim]
    assert all(m.stride() == weight.stride() for m in moments)


FAMILIES = [
    ("autoencoder", "smoke", {}),
    ("autoencoder", "cae", {"channels": [8, 16], "bottleneck": 4}),
    ("gan", "smoke", {"r1_every": 2}),
    ("gan", "pix2pix", {"channels": [8], "discriminator": [8, 16]}),
    ("gan", "cyclegan", {"channels": [8], "blocks": 1, "discriminator": [8, 16]}),
    ("diffusion", "smoke", {}),
    ("diffusion", "ddpm", {"channels": [16, 32]}),
]


def enlarged(batch):
    return Batch(F.interpolate(batch.color, size=64), F.interpolate(batch.condition, size=64))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "preset", "model"), FAMILIES)
def test_every_family_goes_on_to_the_bit(name, preset, model, tmp_path):
    settings = config(images=12, batch=2, size=64, clip=1.0)
    source = [enlarged(batch) for batch in islice(batches(2), 6)]

    def built(seed):
        torch.manual_seed(seed)
        baseline = models.build(models.load(name), preset, model, 1, 64)
        prepare(baseline, settings)
        return baseline, Ema({n: baseline.networks[n] for n in baseline.sampled}, 100)

    def go(baseline, averages, first, last):
        state = State(images=2 * first, ema=averages)
        for _ in islice(train(baseline, iter(source[first:last]), settings, state), last - first):
            pass

    whole, whole_averages = built(0)
    go(whole, whole_averages, 0, 6)
    half, averages = built(0)
    go(half, averages, 0, 3)
    checkpoints.save(tmp_path / "c.safetensors", half, averages.tensors, {})
    fresh, fresh_averages = built(1)
    checkpoints.load(tmp_path / "c.safetensors", fresh, fresh_averages.tensors)
    go(fresh, fresh_averages, 3, 6)
    assert same(all_weights(whole), all_weights(fresh))
    assert all(same(whole_averages.tensors[n], fresh_averages.tensors[n]) for n in whole.sampled)


def test_a_checkpoint_before_the_first_step_holds_optimizers_that_have_kept_nothing(tmp_path):
    checkpoints.save(tmp_path / "c.safetensors", tiny(), {}, {})
    other = tiny(seed=1)
    checkpoints.load(tmp_path / "c.safetensors", other, {})
    assert same(all_weights(other), all_weights(tiny()))


def test_a_checkpoint_of_another_model_says_what_differs_and_changes_nothing(tmp_path):
    baseline, state = trained(width=8)
    checkpoints.save(tmp_path / "RUN/checkpoints/c.safetensors", baseline, state.ema.tensors, FACTS)
    other = tiny(width=6, seed=3)
    before = all_weights(other)
    averages = Ema({"painter": other.painter}, 100).tensors
    difference = r"is of another model: .*painter\.0\.bias is \[8\], not \[6\]"
    with pytest.raises(RunError, match=rf"c\.safetensors {difference}.*--init .*RUN starts"):
        checkpoints.load(tmp_path / "RUN/checkpoints/c.safetensors", other, averages)
    assert same(before, all_weights(other))


def test_a_checkpoint_with_other_networks_says_which(tmp_path):
    baseline, _ = trained()
    checkpoints.save(tmp_path / "c.safetensors", baseline, {}, FACTS)
    baseline.networks["second"] = baseline.networks.pop("critic")
    message = r"3 tensors are missing, such as networks\.second\.judge\.bias; 3 are unknown here"
    with pytest.raises(RunError, match=message):
        checkpoints.load(tmp_path / "c.safetensors", baseline, {})


@pytest.mark.parametrize("left", [0, 7, 100, -1])
def test_a_damaged_checkpoint_is_told_from_a_whole_one(left, tmp_path):
    baseline, _ = trained()
    path = tmp_path / "c.safetensors"
    checkpoints.save(path, baseline, {}, FACTS)
    path.write_bytes(path.read_bytes()[:left])
    message = r"can't be read as safetensors .*Delete it: training goes on from the one before"
    with pytest.raises(RunError, match=message):
        checkpoints.load(path, baseline, {})


def test_a_file_of_others_is_no_checkpoint(tmp_path):
    save_file({"painter.0.weight": torch.zeros(1)}, tmp_path / "c.safetensors")
    with pytest.raises(RunError, match="is no checkpoint of anidata"):
        checkpoints.load(tmp_path / "c.safetensors", tiny(), {})


def test_another_format_is_not_guessed_at(tmp_path):
    checkpoints.write(tmp_path / "c.safetensors", {}, {"format": 99})
    with pytest.raises(FormatError, match="has checkpoint format 99; this version of anidata reads format 1"):
        checkpoints.load(tmp_path / "c.safetensors", tiny(), {})


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from anidata.errors import StorageError
from anidata.training.run import checkpoints
from training_lab import tiny
path, baseline = Path(sys.argv[2]), tiny()
checkpoints.save(path / "1.safetensors", baseline, {}, {"images": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for name in "12":
    try:
        checkpoints.save(path / f"{name}.safetensors", tiny(seed=9), {}, {"images": 2})
    except StorageError as error:
        print(error)
"""


def test_a_full_disk_in_mid_checkpoint_leaves_the_last_one_whole(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(Path(labs.__file__).parent), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    refused = re.findall(r"\.safetensors: can't be written \(File too large\)\. Make room", done.stdout)
    assert len(refused) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["1.safetensors"]
    baseline = tiny(seed=4)
    assert checkpoints.load(tmp_path / "1.safetensors", baseline, {}) == {"images": 1}
    assert same(all_weights(baseline), all_weights(tiny()))


def test_a_read_only_folder_is_a_typed_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="can't be written"):
        checkpoints.save(tmp_path / "file/c.safetensors", tiny(), {}, {})


def test_nothing_is_unpickled():
    package = Path(anidata.__file__).parent
    unsafe = r"\.from_pretrained\((?![^)]*use_safetensors=True)"
    pickled = re.compile(
        rf"(?<!safetensors\.)torch\.load\(|import pickle\b|from pickle\b|weights_only|{unsafe}"
    )
    known = package / "training/weights/conversion.py"  # bytes of a digest that is known: tensors alone
    for path in [*package.glob("training/**/*.py"), *package.parents[1].glob("models/*.py")]:
        if path != known:
            assert not pickled.search(without_texts(path)), path
    loads = re.findall(r"(?:torch|pickle)\.loads?\(.*\)", without_texts(known))
    assert len(loads) == 1
    assert "weights_only=True" in loads[0]


def without_texts(path):
    """Code with nothing in its texts, where a command that converts a pickle may be told."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.unparse(tree)


def test_weights_start_from_what_fits_and_say_what_does_not(tmp_path):
    source, _ = trained(width=8)
    most = {key: t for key, t in all_weights(source).items() if "steps" not in key}
    checkpoints.write(tmp_path / "w.safetensors", most | {"x.y": torch.ones(2)}, {})
    target = tiny(width=6, seed=2)
    before = all_weights(target)
    fit = weights.start_from(tmp_path / "w.safetensors", target)
    assert str(fit) == (
        "3 of 7 tensors fit; of another shape: painter.0.weight ([8, 1, 3, 3], here [6, 1, 3, 3]), "
        "painter.0.bias ([8], here [6]), painter.3.weight ([3, 8, 1, 1], here [3, 6, 1, 1]); "
        "not in it: critic.steps; in it alone: x.y"
    )
    assert torch.equal(target.critic.judge.weight, source.critic.judge.weight)
    assert torch.equal(target.painter[0].weight, before["painter.0.weight"])


def test_weights_start_from_the_bare_keys_of_one_network(tmp_path):
    source, _ = trained()
    save_file(source.painter.state_dict(), tmp_path / "w.safetensors")
    target = tiny(seed=2)
    fit = weights.start_from(tmp_path / "w.safetensors", target)
    assert len(fit.fitted) == 4
    assert same(target.painter.state_dict(), source.painter.state_dict())


def test_weights_start_from_a_run_before_its_weights_are_out(tmp_path):
    source, state = trained()
    checkpoints.save(Run(tmp_path).checkpoint(12), source, state.ema.tensors, FACTS)
    target = tiny(seed=2)
    assert len(weights.start_from(tmp_path, target).fitted) == 7
    assert torch.equal(target.painter[0].weight, state.ema.tensors["painter"]["0.weight"])
    assert torch.equal(target.critic.judge.weight, source.critic.judge.weight)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda p: None, "there is no such run or file. Name a RUN"),
        (lambda p: p.mkdir(), "has no weights yet"),
        (lambda p: p.write_bytes(b"no tensors"), "can't be read as safetensors"),
        (lambda p: save_file({"other": torch.ones(1)}, p), "no tensor in it fits"),
    ],
)
def test_what_holds_no_weights_is_a_typed_error(made, message, tmp_path):
    made(tmp_path / "w")
    with pytest.raises(RunError, match=message):
        weights.start_from(tmp_path / "w", tiny())


def test_exported_weights_are_the_averages_of_what_samples(tmp_path):
    baseline, state = trained()
    run = Run(tmp_path)
    checkpoints.save(run.checkpoint(12), baseline, state.ema.tensors, FACTS)
    weights.export(run, run.checkpoint(12), baseline.sampled, {"images": 12})
    exported = load_file(run.weights)
    assert same(exported, {f"painter.{k}": t for k, t in state.ema.tensors["painter"].items()})
    target = tiny(seed=2)
    weights.load(run.weights, target)
    assert torch.equal(target.painter[0].weight, state.ema.tensors["painter"]["0.weight"])


def test_exported_weights_of_another_model_are_refused(tmp_path):
    wide = {f"painter.{key}": t for key, t in tiny(width=8).painter.state_dict().items()}
    checkpoints.write(tmp_path / "w.safetensors", wide, {})
    with pytest.raises(RunError, match="is of another model: 1 of 4 tensors fit"):
        weights.load(tmp_path / "w.safetensors", tiny(width=6))
