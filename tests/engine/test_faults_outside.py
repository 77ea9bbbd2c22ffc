"""Under fire: nothing of somebody's is made, changed or deleted. A sample of what `make torture` does."""

import random
import sys
from itertools import groupby

import pytest

import fault_links
import fault_names
import fault_outputs
import fault_pairs
import fault_struck
from decoys import NAMES, Watch, make_decoy, replace_by_link
from fault_yard import Yard

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the laboratory takes Linux: pidfds, /proc")
EACH = 4  # trials of each kind and place


@pytest.fixture(scope="module")
def yard(tmp_path_factory):
    made = Yard(tmp_path_factory.mktemp("yard"))
    yield made
    made.close()


def some(trials, count=EACH):
    """A few of the trials of each kind, those far from each other."""
    chosen = []
    for _, alike in groupby(sorted(trials, key=lambda t: t.kind), key=lambda t: t.kind):
        listed = list(alike)
        chosen += listed[:: -(-len(listed) // count)]
    return chosen


def amiss(yard, trials):
    dice = random.Random(0)
    made = [(trial.kind, trial.where, trial.make(yard, dice)) for trial in trials]
    assert len(made) >= EACH
    return [entry for entry in made if entry[2]]


@pytest.mark.slow
def test_what_links_lead_to_is_unharmed(yard):
    assert amiss(yard, some(fault_links.trials(yard), 12)) == []


@pytest.mark.slow
def test_no_output_folder_costs_a_file(yard):
    assert amiss(yard, some(fault_outputs.trials(), 12)) == []


@pytest.mark.slow
def test_names_as_long_as_may_be_are_names_like_others(yard):
    assert amiss(yard, some(fault_names.trials())) == []


@pytest.mark.slow
def test_what_was_struck_starved_or_forbidden_is_healed_by_the_same_command(yard):
    trials = some(fault_struck.trials(yard, 1), 6)
    assert {trial.kind for trial in trials} >= {"publishes", "full"}
    assert amiss(yard, trials) == []


@pytest.mark.slow
def test_two_at_once_leave_what_one_leaves(yard):
    assert amiss(yard, fault_pairs.trials(1)) == []


# --- the watch ------------------------------------------------------------------------------------

HARMS = {
    "written": lambda decoy: (decoy / "a.parquet").write_bytes(b"other"),
    "rewritten": lambda decoy: (decoy / "deep/b.tar").write_bytes(b"b.tar"),
    "deleted": lambda decoy: (decoy / NAMES[3]).unlink(),
    "made": lambda decoy: (decoy / "set/new").write_bytes(b""),
    "made and deleted": lambda decoy: [(decoy / "new").touch(), (decoy / "new").unlink()],
    "changed in its mode": lambda decoy: (decoy / "deep").chmod(0o700),
    "replaced by a link's target": lambda decoy: [(decoy / "link").unlink(), (decoy / "link").mkdir()],
}


@pytest.mark.parametrize("harm", HARMS)
def test_the_watch_sees_whatever_is(tmp_path, harm):
    decoy = make_decoy(tmp_path / "ground/decoy")
    watch = Watch(tmp_path / "ground", tmp_path / "ground/home/work")
    (tmp_path / "ground/home/work").mkdir(parents=True)
    (tmp_path / "ground/home/work/a").touch()
    assert watch.troubles() == []
    HARMS[harm](decoy)
    assert watch.troubles() != []


@pytest.mark.parametrize("how", fault_links.HOW)
def test_a_link_is_planted_where_a_file_or_folder_was(tmp_path, how):
    decoy = make_decoy(tmp_path / "decoy")
    for path in (tmp_path / "work/a.tar", tmp_path / "work/deep"):
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if not path.suffix else path.write_bytes(b"ours")
        replace_by_link(path, decoy, how)
        assert path.is_symlink()
        assert path.readlink().is_relative_to(decoy)
        assert path.exists() == (how != "dangling")
