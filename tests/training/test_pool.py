"""The pool of past pictures: what discriminators are shown, and that a run with one goes on to the bit."""

from itertools import islice

import pytest
import torch
from torch import nn

from anidata.errors import RecipeError
from anidata.training import models
from anidata.training.loop import State, prepare, train
from anidata.training.pool import Pool, Pools
from anidata.training.run import checkpoints
from anidata.training.run.weights import start_from
from model_lab import batch, drawn, full_size, update_of
from training_lab import batches, config, same, weights


def pictures(*levels):
    """A picture of one level for each."""
    return torch.tensor(levels, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, 2, 2).clone()


def levels(shown):
    assert torch.equal(shown, shown[:, :1, :1, :1].expand_as(shown))  # each comes whole
    return shown[:, 0, 0, 0].tolist()


def shown_by(pool, count, size, generator):
    """What a pool shows of pictures 0, 1, 2 …, `size` at a time."""
    seen = []
    for start in range(0, count, size):
        seen += levels(pool(pictures(*range(start, start + size)), generator))
        pool.keep()
    return seen


@pytest.mark.parametrize("size", [1, 4])
def test_pictures_are_shown_as_they_are_while_the_pool_fills(size):
    pool = Pool(48, 2)
    assert shown_by(pool, 48, size, drawn()) == list(range(48))
    assert int(pool.count) == 48
    assert levels(pool.pictures) == list(range(48))


@pytest.mark.parametrize("size", [1, 5])
def test_half_are_past_ones_and_each_of_these_leaves_its_place_to_the_present_one(size):
    count, pool = 20_000, Pool(50, 2)
    seen = shown_by(pool, count, size, drawn())
    past = [n for n in range(50, count) if seen[n] != n]
    share = len(past) / (count - 50)
    assert share == pytest.approx(0.5, abs=4 * (0.25 / count) ** 0.5)
    assert all(seen[n] < n for n in past)
    # a past picture is shown once more, and is gone: of none is there a third showing
    assert len({seen[n] for n in past}) == len(past)
    assert not {seen[n] for n in past} & set(levels(pool.pictures))


def test_a_picture_waits_as_long_as_chance_has_it():
    """A picture in the pool is taken in each step with the chance 1/2 · 1/size: 2 · size steps on average."""
    size, count = 20, 40_000
    seen = shown_by(Pool(size, 2), count, 1, drawn(1))
    waits = [n - seen[n] for n in range(1000, count) if seen[n] != n]
    assert sum(waits) / len(waits) == pytest.approx(2 * size, rel=0.05)


def test_every_place_is_as_likely():
    pool, hits = Pool(10, 2), torch.zeros(10)
    generator = drawn(2)
    shown_by(pool, 10, 1, generator)
    for _ in range(20_000):
        before = pool.pictures[:, 0, 0, 0].clone()
        pool(pictures(-1), generator)
        hits[list(pool._changes)] += 1
        pool._changes = {}
        assert torch.equal(before, pool.pictures[:, 0, 0, 0])
    expected = hits.sum() / 10
    assert ((hits - expected) ** 2 / expected).sum() < 27.9  # chi², 9 degrees: 1 in 1,000
    assert float(hits.sum()) == pytest.approx(10_000, abs=4 * 70.7)


def test_nothing_is_kept_until_it_is_told_to_be():
    pool = Pool(3, 2)
    pool(pictures(1, 2), drawn())
    assert int(pool.count) == 0
    assert levels(pool.pictures) == [0, 0, 0]
    pool.keep()
    assert (int(pool.count), levels(pool.pictures)) == (2, [1, 2, 0])


def test_as_much_is_drawn_whatever_the_pool_holds():
    empty, full = Pool(2, 2), Pool(2, 2)
    shown_by(full, 2, 1, drawn())
    one, other = drawn(5), drawn(5)
    empty(pictures(1, 2, 3), one)
    full(pictures(1, 2, 3), other)
    assert torch.equal(one.get_state(), other.get_state())


def test_a_picture_that_is_not_finite_is_shown_once_and_never_kept():
    pool, generator = Pool(4, 2), drawn()
    for n in range(60):
        bad = pictures(float("nan" if n % 2 else "inf"))
        shown = pool(bad, generator)
        assert not shown.isfinite().any()
        pool.keep()
        pool(pictures(n), generator)
        pool.keep()
        assert pool.pictures.isfinite().all()
    assert int(pool.count) == 4


def test_bfloat16_pictures_come_back_as_they_were():
    pool, generator = Pool(2, 2), drawn()
    for n in range(20):
        shown = pool(pictures(n / 7).bfloat16(), generator)
        pool.keep()
        assert shown.dtype == torch.bfloat16
        assert float(shown[0, 0, 0, 0]) in {float(torch.tensor(m / 7).bfloat16()) for m in range(n + 1)}


def test_a_pool_of_none_shows_all_as_it_is_and_holds_nothing():
    pools, generator = Pools(2, 0, 8), drawn()
    state = generator.get_state()
    fakes = [pictures(1), pictures(2)]
    assert all(a is b for a, b in zip(pools(fakes, generator), fakes, strict=True))
    assert torch.equal(generator.get_state(), state)
    assert not pools.state_dict()


# --- in a training ------------------------------------------------------------------------------------------

SMALL = {"channels": [4], "blocks": 1, "discriminator": [4, 8]}


def cyclegan(pool, seed=0, **settings):
    torch.manual_seed(seed)
    return models.build(models.load("gan"), "cyclegan", {**SMALL, "pool": pool, **settings}, 1, 16)


def test_cyclegan_has_the_papers_fifty_for_each_discriminator_and_others_have_none():
    pools = full_size("gan", "cyclegan").networks["pools"]
    assert [tuple(pool.pictures.shape) for pool in pools.pools] == [(50, 3, 256, 256)] * 2
    assert "pools" not in full_size("gan", "pix2pix").networks
    with pytest.raises(RecipeError, match=r"model\.pool: .* with model\.cycle alone\. Set model\.pool=0"):
        models.build(models.load("gan"), "default", {"pool": 50}, 1, 64)


def test_discriminators_are_shown_past_pictures_and_the_generator_is_judged_by_present_ones(monkeypatch):
    baseline, seen = cyclegan(2), []
    judge = baseline.networks["color_judge"]
    monkeypatch.setattr(judge, "forward", lambda p, plain=judge.forward: (seen.append(p), plain(p))[1])
    update, generator = update_of(baseline), drawn(3)
    past, shown = [], []
    for step in range(40):
        seen.clear()
        baseline.step(batch(size=16, count=1, seed=step), generator, update)
        both, judged = seen  # real and shown; then what the generator has painted
        past.append(judged[0].detach())
        shown.append(both[1].detach())
    ages = [next(a for a in range(n + 1) if torch.equal(shown[n], past[n - a])) for n in range(40)]
    assert ages[:2] == [0, 0]
    assert 8 <= sum(age > 0 for age in ages) <= 32  # of 38, half on average


def go(baseline, settings, state, source, steps):
    for _ in islice(train(baseline, source, settings, state), steps):
        pass


@pytest.mark.parametrize(("accumulate", "batch_size"), [(1, 4), (2, 2)])
@pytest.mark.parametrize("stop", [1, 4])  # while the pool fills, and after
def test_a_run_with_a_pool_goes_on_to_the_bit(tmp_path, accumulate, batch_size, stop):
    settings = config(images=32, accumulate=accumulate)

    def built(seed=0):
        baseline = cyclegan(6, seed)
        prepare(baseline, settings)
        return baseline

    def source(start):
        return batches(batch_size, start=start)

    whole, half, fresh = built(), built(), built(9)
    go(whole, settings, State(), source(0), 8)
    state = State()
    go(half, settings, state, source(0), stop)
    checkpoints.save(tmp_path / "c.safetensors", half, {}, {"images": state.images})
    checkpoints.load(tmp_path / "c.safetensors", fresh, {})
    go(fresh, settings, state, source(4 * stop), 8 - stop)
    assert same(weights(whole), weights(fresh))
    assert int(whole.networks["pools"].pools[0].count) == 6
    forgetful = built(9)
    checkpoints.load(tmp_path / "c.safetensors", forgetful, {})
    for pool in forgetful.networks["pools"].pools:
        nn.init.zeros_(pool.pictures)
        pool.count.zero_()
    go(forgetful, settings, State(images=4 * stop), source(4 * stop), 8 - stop)
    assert not same(weights(whole), weights(forgetful))  # the pool matters


def test_parts_put_each_picture_into_the_pool_once():
    """The generator's pass over the parts, which comes after the discriminator's, puts in nothing."""
    baseline, settings = cyclegan(50), config(images=8, accumulate=2)
    prepare(baseline, settings)
    go(baseline, settings, State(), batches(2), 2)
    pool = baseline.networks["pools"].pools[0]
    assert int(pool.count) == 8
    assert len(torch.unique(pool.pictures[:8].flatten(1), dim=0)) == 8


def test_a_checkpoint_of_before_there_were_pools_goes_on_with_empty_ones(tmp_path):
    before = cyclegan(0)
    checkpoints.save(tmp_path / "c.safetensors", before, {}, {})
    after = cyclegan(3, seed=1)
    checkpoints.load(tmp_path / "c.safetensors", after, {})
    assert same(weights(before), {n: t for n, t in weights(after).items() if not n.startswith("pools.")})
    assert int(after.networks["pools"].pools[0].count) == 0


def test_the_pool_is_no_weight_to_start_from_or_to_miss(tmp_path):
    baseline = cyclegan(3)
    named = {n: t for n, t in weights(baseline).items() if n.startswith("painter.")}
    checkpoints.write(tmp_path / "model.safetensors", named, None)
    assert "pools" not in str(start_from(tmp_path / "model.safetensors", cyclegan(3, seed=1)))


def test_a_step_of_another_preset_is_what_it_was():
    """Without a pool nothing more is drawn: `pool = 0` is the step of before."""
    results = [
        baseline.step(batch(size=16), drawn(), lambda *_: None)["loss"]
        for baseline in (cyclegan(0, r1=0.0), cyclegan(50, r1=0.0))
    ]
    assert torch.equal(*results)
