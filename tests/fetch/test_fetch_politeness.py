"""A host has no more requests at once, and no more in a second, than was stated.

And it is left alone for as long as it asks.
"""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anidata.fetch import Bounds, Config, Request
from anidata.fetch.client import Fetcher
from anidata.fetch.rate_limit import Clock, HostLimits
from anidata.stages.ingest import fetching
from web_lab import Web, page, picture


class Time:
    """A clock that stands still until somebody waits for it."""

    def __init__(self):
        self.now = 100.0

    async def sleep(self, seconds):
        wanted = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, wanted)

    def limits(self, **settings):
        return HostLimits(Config(**settings), Clock(lambda: self.now, self.sleep))


def begun(clock, limits, names, work=0.0):
    """Pairs of a host and when a request to it begins, each taking so long."""
    starts = []

    async def one(name):
        async with limits[name]:
            starts.append((name, clock.now))
            await clock.sleep(work)

    async def all_of_them():
        await asyncio.gather(*map(one, names))

    asyncio.run(all_of_them())
    return starts


def test_requests_to_a_host_begin_no_sooner_after_each_other_than_the_rate_says():
    clock = Time()
    starts = [at for _, at in begun(clock, clock.limits(rate=4.0, concurrency=3), ["a"] * 20)]
    assert starts == pytest.approx([100 + n / 4 for n in range(20)])


def test_a_slow_host_keeps_no_other_waiting():
    clock = Time()
    limits = clock.limits(rate=1.0, concurrency=8, connections=3)
    starts = begun(clock, limits, ["a"] * 5 + ["b", "c"])
    assert [at for name, at in starts if name in "bc"] == [100, 100]


@pytest.mark.parametrize(("concurrency", "connections"), [(1, 8), (3, 8), (8, 3)])
def test_no_more_requests_are_under_way_than_stated(concurrency, connections):
    clock = Time()
    limits = clock.limits(rate=0, concurrency=concurrency, connections=connections)
    now, most = 0, 0

    async def one():
        nonlocal now, most
        async with limits["a"]:
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    async def all_of_them():
        await asyncio.gather(*(one() for _ in range(40)))

    asyncio.run(all_of_them())
    assert most == min(concurrency, connections)


def test_a_pause_holds_all_requests_that_havent_begun():
    clock = Time()
    limits = clock.limits(rate=0, concurrency=1)
    limits["a"].pause(50)
    assert {at for _, at in begun(clock, limits, ["a"] * 3)} == {150.0}


# --- by the server's own log ----------------------------------------------------------------------


@pytest.fixture
def web(tmp_path):
    with Web("127.0.0.1", "127.0.0.2", "127.0.0.3") as web:
        web.folder = tmp_path
        yield web


def ask(web, urls, **settings):
    async def all_of_them():
        config = Config(**{"allow_private": True, "rate": 0, "backoff": 0.001} | settings)
        async with Fetcher(config, Bounds(1 << 20, 200), web.folder) as fetcher:
            answers = await asyncio.gather(*(fetcher.fetch(Request(record=url, url=url)) for url in urls))
            for answer in answers:
                if answer.body:
                    answer.body.close()
            return answers

    return asyncio.run(all_of_them())


def slowly(client, asked):
    async def answer():
        await asyncio.sleep(0.01)
        await client.answer(picture(1))

    return answer()


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_server_never_sees_more_requests_at_once_than_stated(web, concurrency):
    web.ways["slowly"] = slowly
    urls = [web.url(f"slowly/{n}", address) for n in range(20) for address in web.addresses]
    assert {answer.error for answer in ask(web, urls, concurrency=concurrency)} == {None}
    assert dict(web.log.most) == dict.fromkeys(web.addresses, concurrency)


def test_a_server_never_sees_more_requests_in_a_second_than_stated(web):
    """Its robots.txt and what redirects lead to it included.

    A request arrives after it has begun, so nothing is measured but a lower bound.
    """
    web.pages["/hop"] = page(b"", "302 Found", Location=web.url("good/1", "127.0.0.2"))
    start = time.monotonic()
    urls = [web.url(f"good/{n}") for n in range(10)] + [web.url("hop")] * 5
    urls += [web.url(f"good/{n}", "127.0.0.2") for n in range(5)]
    ask(web, urls, rate=50.0)
    for address in web.addresses[:2]:
        times = [asked.begun for asked in web.log.asked if asked.host == address]
        assert len(times) == {"127.0.0.1": 17, "127.0.0.2": 12}[address]
        assert max(times) - start >= (len(times) - 1) / 50


def test_retry_after_is_waited_for_by_all_requests_to_the_host(web):
    times = []

    async def busy_once(client, asked):
        times.append(asked.begun)
        if len(times) == 1:
            await client.answer(b"", "429 Too Many Requests", Retry_After="1")
        else:
            await client.answer(picture(1))

    web.ways["busy"] = busy_once
    answers = ask(web, [web.url(f"busy/{n}") for n in range(3)], concurrency=1)
    assert [answer.error for answer in answers] == [None] * 3
    assert sorted(answer.tries for answer in answers) == [1, 1, 2]
    assert min(times[1:]) - times[0] >= 0.99


def test_a_host_that_asks_for_too_long_a_wait_is_left_alone(web):
    web.pages["/a"] = page(b"", "503 Service Unavailable", Retry_After="3600")
    web.pages["/b"] = page(b"", "503 Service Unavailable", Retry_After="Fri, 31 Dec 2100 23:59:59 GMT")
    assert [(answer.error, answer.tries) for answer in ask(web, [web.url("a"), web.url("b")])] == [
        ("http_503", 1)
    ] * 2


def test_a_host_that_loses_request_after_request_is_given_up(web):
    answers = ask(web, [web.url(f"reset/{n}") for n in range(60)], tries=1, concurrency=1)
    assert [answer.error for answer in answers].count("reset") == 20
    assert {answer.error for answer in answers} == {"reset", "given_up"}
    assert sum(path.startswith("/reset") for path in web.log.paths()) == 20


# --- lanes ----------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 63), st.integers(1, 500)), min_size=1, max_size=60), st.integers(1, 8)
)
def test_a_lane_has_one_worker_and_workers_have_about_as_many_urls(parts, workers):
    todo = [fetching.FetchPart(None, 0, n, lane, size) for n, (lane, size) in enumerate(parts)]
    tasks = fetching._tasks(todo, Config(), Bounds(1, 1), workers)
    assert sorted(part.index for task in tasks for part in task.parts) == list(range(len(todo)))
    assert all({part.lane for part in task.parts} == task.lanes for task in tasks)
    lanes = [lane for task in tasks for lane in task.lanes]
    assert len(lanes) == len(set(lanes))
    loads = [sum(part.size for part in task.parts) for task in tasks]
    largest = max(sum(size for lane, size in parts if lane == one) for one in lanes)
    assert len(tasks) == min(workers, len(lanes))
    assert max(loads) <= sum(loads) / len(tasks) + largest
