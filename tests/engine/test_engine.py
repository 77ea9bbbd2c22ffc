import functools
import importlib
import os
import select
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine_functions as functions
from anidata.engine import engine as engines
from anidata.engine import progress
from anidata.engine.engine import Engine, Limits, Watch
from anidata.errors import StorageError, WorkerError

SOON = Limits(seconds=1)
LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="the kernel tells workers of their parent's death on Linux only"
)
SCRIPT = """
import sys
import engine_functions
from anidata.engine.engine import Engine
from anidata.errors import AnidataError
try:
    with Engine({workers}) as engine:
        for part, result in engine.map({function}, {parts}, label="ingest", total=6):
            print("yielded", result, flush=True)
except AnidataError as error:
    print(type(error).__name__, error)
    sys.exit(error.exit_code)
"""


@pytest.fixture(scope="module")
def engine():
    with Engine(workers=2) as engine:
        yield engine


@pytest.fixture(scope="module")
def other_sizes():
    with Engine(workers=1) as one, Engine(workers=4) as four:
        yield one, four


def collected(engine, function, parts, **options):
    return sorted((part, result) for part, result in engine.map(function, parts, **options))


# What an item does costs that item alone.


@pytest.mark.parametrize(
    ("item", "code", "message"),
    [
        ("exit", "crashed", "ended its worker twice (exit code 3)"),
        ("segfault", "crashed", "ended its worker twice (SIGSEGV)"),
        ("regex", "timeout", "took longer than 1 s, twice"),
    ],
)
def test_an_item_that_ends_its_worker_becomes_a_failure_and_costs_nothing_else(engine, item, code, message):
    parts = [["a", "b"], ["c", item, "d"], ["e"]]
    expected = [(part, [(code, message) if x == item else f"did {x}" for x in part]) for part in parts]
    assert collected(engine, functions.acts, parts, limits=SOON) == expected


def test_several_deadly_items_in_one_part_are_all_found(engine):
    part = ["exit", "a", "segfault", "b", "exit"]
    [(_, result)] = engine.map(functions.acts, [part])
    assert [x if isinstance(x, str) else x[0] for x in result] == [
        "crashed",
        "did a",
        "crashed",
        "did b",
        "crashed",
    ]


def test_an_item_that_ends_its_worker_once_is_forgiven(engine, tmp_path):
    part = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert collected(engine, functions.once, [part]) == [(part, "well")]


def test_too_great_a_demand_for_memory_fails_inside_the_item_and_leaves_room_for_the_next(engine):
    part = ["memory", "a", "memory"]
    [(_, result)] = engine.map(functions.acts, [part], limits=Limits(memory=64 << 20))
    assert result == ["out of memory", "did a", "out of memory"]


def test_the_memory_limit_of_one_map_does_not_stay_for_the_next(engine):
    list(engine.map(functions.acts, [["a"], ["b"]], limits=Limits(memory=1 << 20)))
    [(_, result)] = engine.map(functions.acts, [["memory"]], limits=Limits(memory=0))
    assert result == [1 << 28]


def test_mapped_files_do_not_count_as_memory(engine, tmp_path):
    path = tmp_path / "big.tar"
    with open(path, "wb") as file:
        file.truncate(1 << 30)
    assert list(engine.map(functions.maps_a_big_file, [str(path)], limits=Limits(memory=64 << 20))) == [
        (str(path), 1 << 30)
    ]


def test_workers_that_die_whatever_they_are_given_end_the_run_with_what_they_said(engine):
    with pytest.raises(
        WorkerError,
        match=r"4 workers in a row have died \(exit code 7\)(?s:.*)"
        r"It said: about to go(?s:.*)fewer --workers",
    ):
        list(engine.map(functions.deadly, ["a"]))


def test_an_idle_worker_that_dies_is_replaced(engine):
    list(engine.map(functions.squares, [[1], [2], [3]]))
    for pid in engine._pool.pids:
        os.kill(pid, signal.SIGKILL)
    assert collected(engine, functions.squares, [[1], [2]]) == [([1], [1]), ([2], [4])]


def test_workers_killed_while_they_hand_over_their_results_cost_a_second_run_only(engine):
    sizes = [0, 50_000_000, 60_000_000]
    run = engine.map(functions.zeros, sizes)
    first, _ = next(run)
    # Nobody reads at this moment: what is longer than a socket's buffer is stuck half way.
    for pid in engine._pool.pids:
        os.kill(pid, signal.SIGKILL)
    assert sorted([first, *(len(result) for _, result in run)]) == sizes


def test_a_template_that_dies_is_a_worker_error_and_the_next_map_has_a_new_one():
    with Engine(workers=1) as engine:
        list(engine.map(functions.squares, [[1]]))
        engine._pool._template.kill()
        engine._pool._template.wait()
        with pytest.raises(WorkerError, match="same command"):
            list(engine.map(functions.squares, [[1]]))
        engine.close()
        assert list(engine.map(functions.squares, [[2]])) == [([2], [4])]


def test_a_function_whose_module_workers_cannot_import_is_a_worker_error_that_names_it(monkeypatch):
    module = types.ModuleType("made_by_hand")
    exec("def function(part, watch): pass", vars(module))
    monkeypatch.setitem(sys.modules, "made_by_hand", module)
    with Engine(workers=1) as engine, pytest.raises(WorkerError, match="No module named 'made_by_hand'"):
        list(engine.map(module.function, [[1]]))


# What the function raises ends the map.


@pytest.mark.parametrize(
    ("item", "kind", "text"),
    [("storage", StorageError, "disk full"), ("bug", IndexError, "list index out of range")],
)
def test_an_exception_of_the_function_is_raised_with_its_type_and_its_traceback(engine, item, kind, text):
    with pytest.raises(kind, match=text) as caught:
        list(engine.map(functions.raises, [["a"], [item], ["b"]]))
    assert "in raises" in caught.value.__notes__[-1]


def test_an_exception_that_cannot_be_pickled_arrives_by_name(engine):
    with pytest.raises(RuntimeError, match="Awkward: 1 and 2"):
        list(engine.map(functions.raises, [["awkward"]]))


def test_a_result_that_cannot_be_pickled_is_raised(engine):
    with pytest.raises(Exception, match=r"lambda.*unpicklable|unpicklable.*lambda"):
        list(engine.map(functions.unpicklable, [1]))


def test_a_function_that_calls_exit_is_a_bug_and_does_not_end_the_main_process(engine):
    with pytest.raises(RuntimeError, match=r"called exit\(0\)"):
        list(engine.map(functions.raises, [["a", "exit"]]))


def test_a_source_of_parts_that_raises_ends_the_map(engine):
    def parts():
        yield [1]
        raise StorageError("listing failed")

    with pytest.raises(StorageError, match="listing failed"):
        list(engine.map(functions.squares, parts()))


# Order, number of workers, back-pressure.


@settings(max_examples=25, deadline=None)
@given(parts=st.lists(st.lists(st.integers(), max_size=4), max_size=9))
def test_results_do_not_depend_on_the_number_of_workers(engine, other_sizes, parts):
    expected = sorted((part, [item * item for item in part]) for part in parts)
    assert all(collected(each, functions.squares, parts) == expected for each in (engine, *other_sizes))


def test_parts_are_taken_only_as_workers_get_free(engine):
    taken = []
    parts = (taken.append(i) or [i] for i in range(40))
    for finished, _ in enumerate(engine.map(functions.squares, parts), 1):
        assert len(taken) - finished <= 2 * engine.workers
    assert finished == len(taken) == 40


def test_no_more_workers_are_started_than_there_are_parts():
    with Engine(workers=4) as engine:
        list(engine.map(functions.squares, [[1]]))
        assert len(engine._pool.pids) == 1


def test_workers_are_kept_from_one_map_to_the_next():
    with Engine(workers=1) as engine:
        assert list(engine.map(functions.pids, "a")) == list(engine.map(functions.pids, "a"))


def test_the_number_of_workers_is_by_default_that_of_the_processors_we_may_use():
    assert Engine().workers == len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()


def test_a_partial_of_a_function_can_be_mapped(engine):
    assert list(engine.map(functools.partial(functions.squares), [[3]])) == [([3], [9])]


def test_a_second_map_inside_the_first_is_refused(engine):
    first = engine.map(functions.squares, [[1], [2], [3]])
    next(first)
    with pytest.raises(RuntimeError, match="one map at a time"):
        next(engine.map(functions.squares, [[1]]))
    first.close()


def test_a_map_that_is_left_early_stops_its_workers(engine):
    for _ in engine.map(functions.squares, ([i] for i in range(100))):
        break
    assert engine._pool.pids == []


def test_libraries_get_one_thread_in_a_worker(engine):
    assert list(engine.map(functions.threads, [0])) == [(0, (1, {"1"}))]


@LINUX
def test_the_template_has_a_single_thread_when_it_forks(engine):
    list(engine.map(functions.squares, [[1]]))
    assert len(list(Path(f"/proc/{engine._pool._template.pid}/task").iterdir())) == 1


@LINUX
def test_a_module_that_starts_threads_is_left_to_the_workers(tmp_path, monkeypatch):
    (tmp_path / "threaded.py").write_text(
        "import threading\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "def function(part, watch): return threading.active_count()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with Engine(workers=1) as engine:
        assert list(engine.map(importlib.import_module("threaded").function, [0])) == [(0, 2)]
        assert len(list(Path(f"/proc/{engine._pool._template.pid}/task").iterdir())) == 1


def test_a_watch_works_without_an_engine():
    assert functions.squares([1, 2], Watch()) == [1, 4]


# Progress.


def test_progress_counts_the_items_inside_a_part(engine, tmp_path, monkeypatch):
    go = pipe(tmp_path / "go")
    seen = []

    class Recorder(progress.Silent):
        def update(self, done):
            if done == 1 and 1 not in seen:  # the part's second item waits at the gate
                open(go, "w").close()
            seen.append(done)

    monkeypatch.setattr(progress, "display", lambda *_: Recorder())
    list(engine.map(functions.gate, [[(os.devnull, os.devnull), (os.devnull, go)]], label="ingest", total=2))
    assert 1 in seen
    assert seen[-1] == 2


# Ctrl-C, and worse.


def pipe(path: Path) -> str:
    os.mkfifo(path)
    return str(path)


def script(text: str, **arguments) -> subprocess.Popen:
    folders = [str(Path(engines.__file__).parents[2]), str(Path(functions.__file__).parent)]
    return subprocess.Popen(
        [sys.executable, "-c", text.format(**arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders), "ANIDATA_QUIET": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def at_the_gate(tmp_path, goes):
    """A main process with two workers at the gate, and their pids."""
    started = [pipe(tmp_path / f"started{i}") for i in range(2)]
    parts = [[(started[0], goes[0])], [(started[1], goes[1])], *[[("unused", "unused")]] * 4]
    main = script(SCRIPT, workers=2, function="engine_functions.gate", parts=parts)
    return main, [int(Path(path).read_text()) for path in started]


def gone(handle: int) -> bool:
    """Whether the process behind a pidfd ends within ten seconds."""
    return bool(select.select([handle], [], [], 10)[0])


@pytest.mark.parametrize(
    "send", [os.kill, os.killpg], ids=["to the main process", "to the whole group, as a terminal does"]
)
def test_ctrl_c_finishes_what_is_in_flight(tmp_path, send):
    goes = [pipe(tmp_path / f"go{i}") for i in range(2)]
    main, _ = at_the_gate(tmp_path, goes)
    send(main.pid, signal.SIGINT)
    assert "finishing 2 parts in flight" in main.stderr.readline()
    for go in goes:
        open(go, "w").close()
    out, err = main.communicate(timeout=20)
    assert out.splitlines() == [
        "yielded through",
        "yielded through",
        "Interrupted ingest stopped: 2 of 6 pictures are done. The same command goes on.",
    ]
    assert (main.returncode, "2 of 6 pictures, " in err) == (130, True)


@LINUX
def test_a_second_ctrl_c_stops_at_once(tmp_path):
    main, pids = at_the_gate(tmp_path, ["never", "never"])
    workers = [os.pidfd_open(pid) for pid in pids]
    os.killpg(main.pid, signal.SIGINT)
    assert "finishing 2 parts" in main.stderr.readline()
    os.killpg(main.pid, signal.SIGINT)
    out, _ = main.communicate(timeout=20)
    assert (
        out == "Interrupted ingest stopped at once; parts in flight are dropped. The same command goes on.\n"
    )
    assert main.returncode == 130
    assert all(gone(worker) for worker in workers)


@LINUX
def test_workers_end_when_the_main_process_is_killed_even_in_code_that_never_returns(tmp_path):
    main, pids = at_the_gate(tmp_path, ["never", "never"])
    workers = [os.pidfd_open(pid) for pid in pids]
    main.kill()
    assert all(gone(worker) for worker in workers)
    main.communicate(timeout=20)


def test_the_handler_of_ctrl_c_is_given_back_however_a_map_ends(engine):
    before = signal.getsignal(signal.SIGINT)
    run = engine.map(functions.squares, [[1], [2], [3]])
    next(run)
    assert signal.getsignal(signal.SIGINT) is not before
    engine.close()  # as after an exception in the caller, whose traceback keeps the map alive
    assert signal.getsignal(signal.SIGINT) is before
    list(engine.map(functions.squares, [[1]]))
    assert signal.getsignal(signal.SIGINT) is before
    del run
    assert signal.getsignal(signal.SIGINT) is before


def test_a_map_runs_outside_the_main_thread(engine):
    results = []
    thread = threading.Thread(target=lambda: results.extend(engine.map(functions.squares, [[5]])))
    thread.start()
    thread.join()
    assert results == [([5], [25])]


# Scripts.


def test_an_unguarded_script_runs_once_and_its_stdout_is_its_own():
    main = script(SCRIPT, workers=2, function="engine_functions.acts", parts=[["print"]])
    out, err = main.communicate(timeout=20)
    assert (out, main.returncode) == ("yielded ['did print']\n", 0)
    assert "chatter" not in err


def test_a_function_of_the_script_itself_is_refused_with_a_remedy():
    main = script("def mine(part, watch): pass\n" + SCRIPT, workers=1, function="mine", parts=[[1]])
    out, _ = main.communicate(timeout=20)
    assert out.startswith(
        "WorkerError 'mine' is defined in the script or notebook itself, which workers never run. "
        "Put it into a .py file"
    )
    assert main.returncode == 6
