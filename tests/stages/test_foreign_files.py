"""Whole commands over spoilt workspaces, data sets, runs, sources and answers.

A sample of the cases of benchmarks/fuzz_foreign.py.
"""

import os
import sys

import pytest

import foreign_lab
import watched
from web_lab import Web

SEED, CASES = 18, 3
linux = pytest.mark.skipif(sys.platform != "linux", reason="watches processes through /proc")


@pytest.fixture(scope="module")
def lane(tmp_path_factory):
    environment = dict(os.environ)
    with Web() as web:
        web.ways |= dict.fromkeys(("foreign", "robots.txt", ".well-known"), foreign_lab.answer)
        made = foreign_lab.Lane(tmp_path_factory.mktemp("foreign").resolve(), web, watched.can_trace())
        yield made
        made.nursery.close()
    os.environ.clear()
    os.environ |= environment


@linux
@pytest.mark.slow
@pytest.mark.parametrize("number", range(CASES))
@pytest.mark.parametrize("kind", foreign_lab.KINDS)
def test_what_others_have_spoilt_ends_in_rows_and_typed_errors(lane, kind, number):
    assert foreign_lab.faults(lane, kind, SEED, number) == []


LINES = {  # what strace writes, and what the watch makes of it
    '7 openat(AT_FDCWD</a>, "b/c", O_RDONLY|O_CLOEXEC) = 3</a/b/c>': ("read", "/a/b/c"),
    '7 openat(5</a>, "d", O_WRONLY|O_CREAT, 0600) = 3</a/d>': ("written", "/a/d"),
    '7 unlinkat(5</a>, "e f", 0) = 0': ("written", "/a/e f"),
    '7 rename("/x/1", "/x/2") = 0': ("written", "/x/2"),
    '7 execve("/usr/bin/true", ["true"], 0x7 /* 3 vars */) = 0': ("started", "/usr/bin/true"),
    "7 connect(3<socket:[1]>, {sa_family=AF_INET, sin_port=htons(80), "
    'sin_addr=inet_addr("10.0.0.1")}, 16) = -1 EINPROGRESS (Operation now in progress)': (
        "reached",
        "10.0.0.1",
    ),
}


@pytest.mark.parametrize("line", LINES)
def test_the_watch_sees_what_was_done(tmp_path, line):
    (tmp_path / "t.7").write_text(line.partition(" ")[2] + '\n1 openat(5</a>, "no", O_RDONLY) = -1 ENOENT\n')
    seen = watched.seen(tmp_path, frozenset())
    kind, path = LINES[line]
    assert path in getattr(seen, kind)
    assert not any("no" in one for one in seen.read)
    assert not list(tmp_path.iterdir())
