"""The loop does what a loop written out by hand does, whatever the model.

And its averages are what the formula says.
"""

import copy
import os
import socket
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import training_lab as labs
from anidata.errors import Diverged, TrainingError
from anidata.training import ema, loop
from anidata.training.baseline import Batch
from anidata.training.loop import State, prepare, train
from training_lab import batches, config, same, tiny, weights


def trained(baseline, settings, state=None, source=None):
    state = state or State()
    prepare(baseline, settings)
    return list(train(baseline, source or batches(settings.batch), settings, state)), state


class Line:
    """y = w·x + b, learned by SGD: small enough to follow with a pencil."""

    sampled = ("line",)

    def __init__(self, lr=0.5):
        self.line = nn.Conv2d(1, 3, 1)
        self.networks = {"line": self.line}
        self.optimizers = {"line": torch.optim.SGD(self.line.parameters(), lr=lr)}

    def step(self, batch, generator, update):  # noqa: ARG002 - the interface
        loss = (self.line(batch.condition) - batch.color).square().mean()
        update(loss, "line")
        return {"loss": loss.detach()}

    def sample(self, batch, generator):  # noqa: ARG002 - the interface
        return self.line(batch.condition)


@pytest.mark.parametrize("clip", [0.0, 0.05])
def test_the_loop_is_a_loop_written_by_hand(clip):
    torch.manual_seed(0)
    ours = Line()
    theirs = copy.deepcopy(ours.line)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.5)
    steps, _ = trained(ours, config(clip=clip))
    for step, batch in zip(steps, batches(), strict=False):
        loss = (theirs(batch.condition) - batch.color).square().mean()
        optimizer.zero_grad()
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(theirs.parameters(), clip)
        optimizer.step()
        assert float(step.losses["loss"]) == pytest.approx(float(loss.detach()), abs=1e-6)
    assert len(steps) == 6
    assert same(ours.line.state_dict(), theirs.state_dict(), atol=1e-6)


def test_parts_of_a_step_are_the_step():
    torch.manual_seed(0)
    whole = Line()
    parts = copy.deepcopy(whole)
    trained(whole, config(batch=8, clip=0.05))
    halves = (Batch(b.color[n : n + 4], b.condition[n : n + 4]) for b in batches(8) for n in (0, 4))
    steps, _ = trained(parts, config(batch=8, accumulate=2, clip=0.05), source=halves)
    assert steps[-1].images == 24
    assert same(whole.line.state_dict(), parts.line.state_dict(), atol=1e-6)


class Duel:
    """Two numbers that play: the second one's loss depends on the first one's step."""

    sampled = ("both",)

    def __init__(self):
        self.both = nn.ParameterDict({"judge": torch.tensor(0.3), "painter": torch.tensor(-0.2)})
        self.networks = {"both": self.both}
        self.optimizers = {name: torch.optim.SGD([self.both[name]], lr=0.1) for name in ("painter", "judge")}

    def step(self, batch, generator, update):  # noqa: ARG002 - the interface
        gray = batch.condition.mean()
        judged = (self.both["judge"] * gray - self.both["painter"].detach() - 1).square()
        update(judged, "judge")
        fooled = (self.both["judge"] * self.both["painter"] + gray).square()
        update(fooled, "painter")
        return {"judged": judged.detach(), "fooled": fooled.detach()}


def in_parts(baseline, settings, count):
    """The same batches, each cut into parts."""
    size = settings.batch // count
    cuts = range(0, settings.batch, size)
    parts = (
        Batch(b.color[n : n + size], b.condition[n : n + size]) for b in batches(settings.batch) for n in cuts
    )
    return trained(baseline, settings, source=parts)


def test_parts_of_a_game_end_the_first_ones_step_before_the_second_begins():
    """Followed with a pencil: the painter's gradient, of both parts, is against the judge that has moved."""
    duel = Duel()
    judge, painter = (float(duel.both[name].detach()) for name in ("judge", "painter"))
    in_parts(duel, config(images=8, batch=8, accumulate=2), 2)
    grays = [float(half.mean()) for half in next(batches(8)).condition.split(4)]
    judge -= 0.1 * sum(2 * g * (judge * g - painter - 1) for g in grays) / 2
    painter -= 0.1 * sum(2 * judge * (judge * painter + g) for g in grays) / 2
    assert float(duel.both["judge"].detach()) == pytest.approx(judge, abs=1e-6)
    assert float(duel.both["painter"].detach()) == pytest.approx(painter, abs=1e-6)


@pytest.mark.parametrize(
    ("preset", "settings"),
    [
        ("default", {"norm": "instance", "r1": 0.0}),
        ("default", {"norm": "instance", "adversarial": "lsgan", "r1": 0.0}),
        ("cyclegan", {}),
    ],
)
def test_parts_of_a_gans_step_are_the_step(built, preset, settings):
    whole, parts = (built("gan", preset, optimizer="sgd", lr=1e-2, **settings) for _ in range(2))
    trained(whole, config(batch=8, size=32, images=8), source=bigger(batches(8)))
    halves = (Batch(b.color[n : n + 4], b.condition[n : n + 4]) for b in bigger(batches(8)) for n in (0, 4))
    trained(parts, config(batch=8, size=32, images=8, accumulate=2), source=halves)
    assert same(weights(whole), weights(parts), atol=2e-5)


def bigger(source):
    for batch in source:
        color, condition = (
            nn.functional.interpolate(x, scale_factor=2.0) for x in (batch.color, batch.condition)
        )
        yield Batch(color, condition)


def _floating(baseline):
    return {k: t for k, t in weights(baseline).items() if t.is_floating_point()}


def test_a_loss_leaves_no_gradient_in_what_its_optimizer_does_not_move():
    class Spy(type(tiny())):
        def step(self, batch, generator, update):
            def watched(loss, name):
                update(loss, name)
                seen.append([p.grad is None for n in self.networks.values() for p in n.parameters()])

            return super().step(batch, generator, watched)

    seen = []
    torch.manual_seed(0)
    trained(Spy(tiny().config), config(images=8))
    assert len(seen) == 4
    assert all(all(nones) for nones in seen)


def test_a_gradient_that_is_not_finite_moves_nothing_and_is_counted():
    def source():
        for n, batch in enumerate(batches()):
            yield Batch(batch.color * float("nan"), batch.condition) if n == 1 else batch

    baseline, state = tiny(), State()
    seen = [(step.skipped, _floating(baseline)) for step in train(baseline, source(), config(), state)]
    assert [skipped for skipped, _ in seen] == [False, True, False, False, False, False]
    assert same(seen[0][1], seen[1][1])
    assert not same(seen[1][1], seen[2][1])
    assert (state.skipped, state.running) == (1, 0)


def test_gradients_that_stay_broken_end_training_with_a_remedy():
    nothing = (Batch(b.color / 0, b.condition) for b in batches())
    baseline = tiny()
    first = _floating(baseline)
    message = (
        r"gradient of 'critic, painter' hasn't been finite in 3 steps running, up to image 12\. .*model\.lr"
    )
    with pytest.raises(Diverged, match=message):
        trained(baseline, config(max_skipped=3), source=nothing)
    assert same(first, _floating(baseline))


def test_randomness_is_a_function_of_the_seed_and_the_images_seen():
    whole, halves = tiny(), tiny()
    trained(whole, config())
    trained(halves, config(images=12))
    torch.rand(7)  # whatever else draws in between
    trained(halves, config(), State(images=12), batches(start=12))
    other = tiny()
    trained(other, config(seed=1))
    assert same(weights(whole), weights(halves))
    assert not same(weights(whole), weights(other))


def test_the_rate_follows_the_images_seen():
    baseline, settings = Line(lr=0.2), config(images=40, warmup=8, schedule="linear")
    (group,) = baseline.optimizers["line"].param_groups
    rates = [group["lr"] for _ in train(baseline, batches(), settings, State())]
    assert rates[:3] == pytest.approx([0.2 / 9, 0.2 * 5 / 9, 0.2])  # (images + 1) of 9, then the full rate
    # the second half of the 32 images after the warm-up falls to 0
    assert rates[-1] == pytest.approx(0.2 * 2 * (40 - 36) / 32)


def test_waiting_for_data_is_told_apart_from_steps(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(loop.time, "perf_counter", lambda: clock[0])

    def source():
        for batch in batches():
            clock[0] += 0.25
            yield batch

    class Slow(Line):
        def step(self, *arguments):
            clock[0] += 0.75
            return super().step(*arguments)

    state = State()
    steps = list(train(Slow(), source(), config(images=8), state))
    assert [(s.seconds, s.waited) for s in steps] == [(1.0, 0.25)] * 2
    assert state.seconds == 2.0


def test_time_between_steps_is_not_training(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(loop.time, "perf_counter", lambda: clock[0])
    state = State()
    for _ in train(Line(), batches(), config(), state):
        clock[0] += 100.0  # a validation
    assert state.seconds == 0.0


def test_mixed_precision_keeps_the_weights_in_full():
    full, mixed = tiny("plain"), tiny("plain")
    seen = []
    mixed.painter[0].register_forward_hook(lambda _, __, output: seen.append(output.dtype))
    trained(full, config())
    trained(mixed, config(precision="bf16"))
    assert set(seen) == {torch.bfloat16}
    assert all(t.dtype == torch.float32 for t in _floating(mixed).values())
    assert not same(_floating(full), _floating(mixed))
    assert same(_floating(full), _floating(mixed), atol=0.1)


def test_mixed_precision_sees_weights_that_changed_within_the_step():
    """A cache of cast weights, autocast's default, would give the second forward the first one's weights."""

    class Twice(Line):
        def step(self, batch, generator, update):
            with torch.no_grad():
                before = self.line(batch.condition)
            super().step(batch, generator, update)
            with torch.no_grad():
                return {"moved": (self.line(batch.condition) - before).abs().mean()}

    steps, _ = trained(Twice(), config(precision="bf16"))
    assert all(float(s.losses["moved"]) > 0 for s in steps)


def test_channels_last_is_the_same_training():
    plain, last = tiny("plain", optimizer="sgd"), tiny("plain", optimizer="sgd")
    trained(plain, config())
    trained(last, config(channels_last=True))
    assert last.painter[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert same(_floating(plain), _floating(last), atol=1e-5)


@pytest.mark.slow
def test_compiling_is_the_same_training():
    plain, compiled = tiny("plain", optimizer="sgd"), tiny("plain", optimizer="sgd")
    trained(plain, config())
    trained(compiled, config(compile=True))
    assert same(weights(plain), weights(compiled), atol=1e-4)


def test_a_compiler_that_fails_is_told_with_the_switch():
    baseline, settings = tiny("plain", optimizer="sgd"), config()
    baseline.painter.compile(backend=lambda *_: 1 / 0)
    with pytest.raises(TrainingError, match=r"^torch.compile fails \(.*--set train.compile=false$"):
        list(train(baseline, batches(settings.batch), settings, State()))


def test_averages_are_those_of_an_independent_implementation():
    """With the half-life far below what has been seen, the decay is constant, as in torch's AveragedModel."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    ours = ema.Ema({"n": network}, half_life=8)
    theirs = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.5 ** (4 / 8)), use_buffers=False)
    theirs.update_parameters(network)
    for n in range(5):
        with torch.no_grad():
            for p in network.parameters():
                p.add_(torch.randn_like(p))
        network(torch.randn(2, 1, 5, 5))
        ours.update(4, 10_000 + n)
        theirs.update_parameters(network)
    expected = dict(theirs.module.named_parameters())
    assert all(torch.allclose(ours.tensors["n"][k], p) for k, p in expected.items())
    assert ours.tensors["n"]["1.num_batches_tracked"] == 5


def test_the_first_weights_are_soon_forgotten():
    """The half-life is at most a twentieth of what has been seen.

    So after n steps the first weights weigh the product of 2^(-step / (seen / 20)).
    """
    network = nn.Linear(1, 1, bias=False)
    nn.init.ones_(network.weight)
    averages = ema.Ema({"n": network}, half_life=1_000_000)
    nn.init.zeros_(network.weight)
    left = 1.0
    for seen in (100, 200, 300):
        averages.update(100, seen)
        left *= 0.5 ** (100 / (0.05 * seen))
    assert float(averages.tensors["n"]["weight"].detach()) == pytest.approx(left, rel=1e-5)


def test_averages_trade_places_with_the_weights_and_back():
    baseline = tiny()
    averages = ema.Ema({"painter": baseline.painter}, 100)
    trained(baseline, config(), State(ema=averages))
    live, kept = weights(baseline), {k: t.clone() for k, t in averages.tensors["painter"].items()}
    held = baseline.painter[0].weight  # as a model's own reference holds it
    averages.trade()
    assert torch.equal(held, kept["0.weight"])
    assert not torch.equal(held, live["painter.0.weight"])
    averages.trade()
    assert same(weights(baseline), live)
    assert same(averages.tensors["painter"], kept)


def test_tied_weights_are_averaged_once():
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    network[1].weight = network[0].weight
    averages = ema.Ema({"n": network}, 100)
    assert list(averages.tensors["n"]) == ["0.weight"]


def test_training_moves_nothing_until_it_is_asked_for():
    baseline = tiny()
    before = weights(baseline)
    steps = train(baseline, batches(), config(), State())
    assert same(before, weights(baseline))
    assert [s.images for s in islice(steps, 2)] == [4, 8]


TWO = """
import sys, torch
sys.path.insert(0, sys.argv[1])
from training_lab import batches, config, tiny
from anidata.training import distributed
from anidata.training.run import checkpoints
from anidata.training.loop import State, prepare, train
from torch import nn

class Sometimes(nn.Module):
    def __init__(self):
        super().__init__()
        self.never = nn.Parameter(torch.ones(2))
        self.first_only = nn.Parameter(torch.ones(2))

team = distributed.join("cpu")
baseline = tiny("plain", seed=team.rank, optimizer="sgd")  # other weights in each, until they are shared
team.share(baseline.networks)
settings = config(batch=8, clip=0.5)
prepare(baseline, settings, team)
source = batches(8, rank=team.rank, ranks=team.ranks)
images = [s.images for s in train(baseline, source, settings, State(), team)]
odd = Sometimes()
odd.never.grad = None
if team.rank == 0:
    odd.first_only.grad = torch.full((2,), 4.0)
team.average(list(odd.parameters()))
assert odd.never.grad is None and odd.first_only.grad.tolist() == [2.0, 2.0], odd.first_only.grad
assert team.total(torch.tensor([1.0, team.rank])).tolist() == [2.0, 1.0]
tensors = {f"{n}.{k}": t for n, w in baseline.networks.items() for k, t in w.state_dict().items()}
checkpoints.write(__import__("pathlib").Path(sys.argv[2]) / f"{team.rank}.safetensors", tensors, images)
team.wait()
"""


def test_two_processes_are_one_with_both_batches(tmp_path):
    """Two real processes under gloo, started as accelerate's and torch's launchers start them."""
    lab = str(Path(labs.__file__).parent)
    environment = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": "2",
        "OMP_NUM_THREADS": "1",
    }
    ranks = [{"RANK": str(n), "LOCAL_RANK": str(n), "LOCAL_WORLD_SIZE": "2"} for n in range(2)]
    words = [sys.executable, "-c", TWO, lab, str(tmp_path)]
    environments = [os.environ | environment | rank for rank in ranks]
    both = [subprocess.Popen(words, env=e, stderr=subprocess.PIPE, text=True) for e in environments]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    alone = tiny("plain", optimizer="sgd")
    trained(alone, config(batch=8, clip=0.5))
    first, second = (load_file(tmp_path / f"{n}.safetensors") for n in range(2))
    assert same(first, second)
    assert same(first, weights(alone), atol=1e-5)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
