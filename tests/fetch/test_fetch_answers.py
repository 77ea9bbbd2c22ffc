"""Whatever a server answers is a row.

It ends no run, holds nobody up, and leaves nothing behind that breaks the next.
"""

import asyncio
import random
import ssl
import tracemalloc
import zlib

import aiohttp
import pytest
from aiohttp.http_exceptions import BadStatusLine

from anidata import fetch
from anidata.catalog import schemas, tables
from anidata.fetch import Bounds, Config, Request, addresses, headers, reading, rules
from anidata.fetch.client import Fetcher
from web_lab import Web, page, picture

QUICK = {"allow_private": True, "rate": 0, "backoff": 0.001, "tries": 1}


@pytest.fixture
def web():
    with Web("127.0.0.1", "127.0.0.2") as web:
        yield web


def ask(folder, requests, **settings):
    async def all_of_them():
        async with Fetcher(Config(**QUICK | settings), Bounds(1 << 20, 200), folder) as fetcher:
            answers = await asyncio.gather(*map(fetcher.fetch, requests))
            for answer in answers:
                if answer.body:
                    answer.body.close()
            return answers

    return asyncio.run(all_of_them())


def urls(*texts):
    return [Request(record=text, url=text) for text in texts]


def raw(data):
    """A way: these bytes, and then the end."""

    async def answer(client, _):
        await client.send(data)
        client._writer.close()

    return answer


# --- validators -------------------------------------------------------------------------------------------

BAD_VALIDATORS = [
    "\x01",
    '"a\x7fb"',
    '"\u00e9"',
    '"' + "x" * 300 + '"',
    "",
    " ",
    '"a\tb"',
    '"\U0001f600"',
    '"a\nb"',
]


@pytest.mark.parametrize("text", BAD_VALIDATORS)
def test_what_cant_be_sent_back_is_no_validator(text):
    assert fetch.validator(text) is None


@pytest.mark.parametrize("text", ['"a"', 'W/"1-2"', "Mon, 30 Nov 2026 00:43:36 GMT", '"' + "x" * 254 + '"'])
def test_what_can_be_sent_back_is_a_validator(text):
    assert fetch.validator(text) == text


@pytest.mark.parametrize("name", ["ETag", "Last-Modified"])
@pytest.mark.parametrize("value", [b'"a\x01b"', b'"a\x7fb"', b'"\xff\xfe"', b'"' + b"x" * 300 + b'"'])
def test_a_bad_validator_is_dropped_and_the_picture_kept(web, tmp_path, name, value):
    head = b"HTTP/1.1 200 OK\r\n%s: %s\r\nContent-Length: %d\r\n\r\n"
    web.pages["/p"] = raw(head % (name.encode(), value, len(picture(1))) + picture(1))
    [answer] = ask(tmp_path, urls(web.url("p")))
    if answer.error != "bad_answer":  # aiohttp itself may refuse it
        assert (answer.error, answer.etag, answer.modified) == (None, None, None)


def test_a_bad_validator_in_a_table_or_journal_is_never_sent(web, tmp_path):
    for bad in BAD_VALIDATORS:
        [answer] = ask(tmp_path, [Request(record="r", url=web.url("good/1"), etag=bad, modified=bad)])
        assert answer.error is None
    assert not any(
        "if-none-match" in one.headers or "if-modified-since" in one.headers for one in web.log.asked
    )


def test_a_workspace_with_a_bad_validator_in_it_goes_on(web, tmp_path, command, inline):
    (tmp_path / "list.txt").write_text(f"{web.url('good/1')}\n{web.url('good/2')}\n")
    words = ["ingest", tmp_path / "work", f"urls:{tmp_path / 'list.txt'}", "--allow-private"]
    command(*words)
    [path] = tables.files(tmp_path / "work" / "fetched")
    rows = tables.rows(path, schemas.FETCHED)
    made = tables.made_from(path)
    for row in rows:
        row["etag"] = row["modified"] = "\x01\r\nX: y"
    tables.write(path, tables.table(rows, schemas.FETCHED), made)
    funnel = command(*words, "--refresh", "--json")["funnel"]
    assert (funnel["found"], funnel["failed"]) == (2, {})
    latest = tables.rows(tables.files(tmp_path / "work" / "fetched")[-1], schemas.FETCHED)
    assert {row["etag"] for row in latest} == {'"1"', '"2"'}
    assert not any("\x01" in f"{row}" for row in latest)


def test_headers_are_written_down_in_part(web, tmp_path):
    web.pages["/p"] = page(picture(1), TDM_Policy="https://a.example/" + "p" * 9000)
    [answer] = ask(tmp_path, urls(web.url("p")))
    assert len(answer.tdm_policy) == headers.LONGEST


# --- exceptions -------------------------------------------------------------------------------------------

ODD = [
    ValueError("Newline or carriage return detected"),
    UnicodeEncodeError("idna", "x", 0, 1, "label too long"),
    RecursionError("maximum recursion depth exceeded"),
    KeyError("x"),
    OverflowError("too large"),
    TypeError("NoneType"),
    AttributeError("'NoneType' object has no attribute 'getpeercert'"),
    AssertionError(),
    RuntimeError("Connection closed."),
    EOFError(),
    BadStatusLine("x"),
    ssl.SSLError("bad"),
    ConnectionResetError(),
    aiohttp.InvalidURL("x"),
]


@pytest.mark.parametrize("error", ODD, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["get", "body"])
def test_whatever_a_library_raises_for_one_url_is_its_row(web, tmp_path, monkeypatch, error, where):
    target = aiohttp.ClientSession if where == "get" else aiohttp.StreamReader
    name = "_request" if where == "get" else "readany"
    method, marked = getattr(target, name), []

    async def fails(self, *args, **more):
        if ("good/13" in str(args)) if where == "get" else self in marked:
            raise error
        return await method(self, *args, **more)

    monkeypatch.setattr(target, name, fails)
    if where == "body":
        note = headers.note

        def mark(reply, response):
            marked.extend([reply.content] * ("good/13" in response.url))
            return note(reply, response)

        monkeypatch.setattr("anidata.fetch.headers.note", mark)
    answers = ask(tmp_path, urls(*(web.url(f"good/{n}") for n in (12, 13, 14))))
    assert [answer.error is None for answer in answers] == [True, False, True]
    assert answers[1].error in ("bad_answer", "reset", "tls", "cut_short")


def test_what_our_own_readers_stumble_over_is_a_row_too(web, tmp_path, monkeypatch):
    note = headers.note

    def fails(reply, response):
        if "good/13" in response.url:
            raise ValueError(response.url)
        return note(reply, response)

    monkeypatch.setattr("anidata.fetch.headers.note", fails)
    answers = ask(tmp_path, urls(*(web.url(f"good/{n}") for n in (12, 13, 14))))
    assert [answer.error for answer in answers] == [None, "bad_answer", None]
    assert "good/13" not in answers[1].message


def test_a_bug_of_ours_is_not_caught(web, tmp_path, monkeypatch):
    def fails(reply, response):
        raise TypeError("a bug")

    monkeypatch.setattr("anidata.fetch.headers.note", fails)
    with pytest.raises(TypeError, match="a bug"):
        ask(tmp_path, urls(web.url("good/1")))


def test_urls_that_libraries_cant_take_are_rows(web, tmp_path):
    odd = [
        f"http://{'a' * 64}.example/x",
        f"http://{'a.' * 200}example/x",
        "http://xn--.example/",
        "http://xn--a-\x80.example/",
        "http://a..b.example/",
        "http://0x7f.1.1.1.1.1/",
        "http://[::1%25eth0]/",
        "http://-/",
        "http://a:99999/",
        "http://a:0/",
    ]
    answers = ask(tmp_path, [*urls(*odd), *urls(web.url("good/1"))])
    assert all(answer.error for answer in answers[:-1])
    assert answers[-1].error is None


PIECES = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 302 Found\r\n",
    b"HTTP/9.9 \xff\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 206 Partial\r\n",
    b"HTTP/1.1 304 Not Modified\r\n",
    b"HTTP/1.1 429 Busy\r\n",
    b"Location: http://\x00/\r\n",
    b"Location: //[::1\r\n",
    b"Location: http://xn--\xc3\xa9/\r\n",
    b"Location: http://a:99999999/\r\n",
    b"Location: ?" + b"%" * 7000 + b"\r\n",
    b"Retry-After: " + b"9" * 5000 + b"\r\n",
    b"Retry-After: Mon, 99 Abc 99999999 99:99:99 +99999999\r\n",
    b"Retry-After: \x01\r\n",
    b"Content-Length: 99999999999999999999999\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Encoding: \xff\r\n",
    b"Content-Encoding: deflate\r\n",
    b"ETag: \x01\r\n",
    b"X-Robots-Tag: " + b":" * 3000 + b"\r\n",
    b"Content-Usage: " + b"=;," * 1000 + b"\r\n",
    b"Set-Cookie: a=\xff\r\n",
    b"Content-Type: image/png; charset=\x01\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"5;ext=" + b"x" * 3000 + b"\r\nabcde\r\n",
    b"0\r\n\r\n",
    b"\x00\xff" * 50,
    picture(1),
    zlib.compress(picture(1)),
    zlib.compress(bytes(1 << 22)),
]


@pytest.mark.parametrize("seed", range(4))
def test_random_answers_are_rows(web, tmp_path, seed):
    dice = random.Random(seed)
    count = 80
    for number in range(count):
        answer = b"".join(dice.choices(PIECES, k=dice.randint(1, 8)))
        web.pages[f"/odd/{number}"] = raw(PIECES[0] * dice.randint(0, 1) + answer)
    requests = urls(*(web.url(f"odd/{number}") for number in range(count)), web.url("good/1"))
    answers = ask(tmp_path, requests, total_time=20, idle_time=5, max_wait=0.01)
    assert [answer.record for answer in answers] == [request.record for request in requests]
    assert sum(answer.error is not None for answer in answers) > count / 2
    assert answers[-1].error is None


# --- limits -----------------------------------------------------------------------------------------------


async def _drip(client, _):
    """A header that never ends, a byte at a time."""
    await client.send(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        await client.send(b"x")
        await asyncio.sleep(0.02)


async def _continue(client, _):
    """Nothing but interim answers."""
    while True:
        await client.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.sleep(0.02)


async def _drops(client, _):
    """A body of a byte at a time."""
    await client.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        await client.send(b"x")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("way", [_drip, _continue, _drops])
def test_a_tar_or_list_that_drips_is_given_up(web, monkeypatch, way):
    web.pages["/x"] = way
    monkeypatch.setattr(reading, "HEADER_TIME", 0.5)
    monkeypatch.setattr(reading, "PATIENCE", 0.5)
    with pytest.raises((fetch.FetchError, OSError), match=r"no headers within|bytes a second"):
        with reading.opened(web.url("x"), Config(**QUICK)) as file:
            file.read()


@pytest.mark.parametrize("way", [_drip, _continue, _drops])
def test_a_picture_that_drips_is_given_up(web, tmp_path, way):
    web.pages["/x"] = way
    [answer] = ask(tmp_path, urls(web.url("x")), total_time=0.5)
    assert answer.error == "slow"


@pytest.mark.parametrize("name", ["/robots.txt", "/.well-known/tdmrep.json"])
@pytest.mark.parametrize("way", [_drip, _continue, _drops])
def test_rules_that_drip_hold_no_other_host_up(web, tmp_path, monkeypatch, way, name):
    web.pages[f"127.0.0.1{name}"] = way
    monkeypatch.setattr(rules, "TIME", 0.5)
    answers = ask(tmp_path, urls(web.url("good/1"), web.url("good/2", "127.0.0.2")))
    assert answers[0].error == ("slow" if name == "/robots.txt" else None)
    assert answers[1].error is None


def test_a_name_that_nobody_answers_is_given_up(tmp_path, monkeypatch):
    async def lookup(_):
        await asyncio.sleep(60)

    monkeypatch.setattr(addresses, "LOOKUP_TIME", 0.1)

    async def check():
        await addresses.Addresses(allow_private=True, lookup=lookup).check("slow.example")

    with pytest.raises(fetch.FetchError, match="unresolved"):
        asyncio.run(check())


def test_a_connection_that_is_lost_again_and_again_is_given_up(web, monkeypatch):
    async def answer(client, asked):
        start = int(asked.headers.get("range", "bytes=0-")[6:-1])
        status = b"206 Partial Content" if "range" in asked.headers else b"200 OK"
        await client.send(
            b'HTTP/1.1 %s\r\nETag: "a"\r\nContent-Length: %d\r\nContent-Range: bytes %d-999/1000\r\n\r\nx'
            % (status, 1000 - start, start)
        )
        client._writer.close()

    web.pages["/x"] = answer
    monkeypatch.setattr(reading, "RESUMED", 5)
    with reading.opened(web.url("x"), Config(**QUICK | {"tries": 3})) as file:
        with pytest.raises(OSError, match="lost 5 times"):
            file.read()
    assert len(web.log.asked) == 6


@pytest.mark.parametrize("size", ["9" * 5000, "-1", "x"])
def test_a_part_of_a_file_that_begins_nowhere_is_told(web, size):
    async def answer(client, asked):
        if "range" in asked.headers:
            await client.answer(b"x", "206 Partial Content", Content_Range=f"bytes {size}-")
        else:
            await client.send(b'HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 10\r\n\r\nx')
            client.reset()

    web.pages["/x"] = answer
    with reading.opened(web.url("x"), Config(**QUICK | {"tries": 2})) as file:
        with pytest.raises(OSError, match="doesn't go on"):
            file.read()


EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"  # of deflate: nothing, stored


@pytest.mark.parametrize(
    ("begin", "forever"),
    [
        (b"\x78\x9c", EMPTY_BLOCK),
        (b"\x1f\x8b\x08\x08" + bytes(6), b"name"),
        (zlib.compress(picture(1)), b"more"),
    ],
    ids=["empty blocks", "a name in the header", "after the end"],
)
def test_a_packed_body_that_unpacks_to_nothing_ends_at_the_limit(web, tmp_path, begin, forever):
    async def answer(client, _):
        await client.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + begin)
        while True:
            await client.send(forever * 20_000)

    web.pages["/x"] = web.pages["127.0.0.2/robots.txt"] = answer
    one, other = ask(tmp_path, urls(web.url("x"), web.url("good/1", "127.0.0.2")), total_time=60)
    assert (one.error, other.error) == ("too_large", None)


@pytest.mark.parametrize("piece", [b"X-%d: y\r\n" * 1, b"x" * 4096])
def test_trailers_and_chunk_extensions_without_end_take_no_memory(web, tmp_path, piece):
    async def answer(client, _):
        body = picture(1)
        await client.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.send(b"%x\r\n%b\r\n" % (len(body), body) + (b"0\r\n" if b":" in piece else b"1;"))
        for _ in range(20_000):
            await client.send(piece * 10)

    web.pages["/x"] = answer
    ask(tmp_path, urls(web.url("good/1")))
    tracemalloc.start()
    [got] = ask(tmp_path, urls(web.url("x")), total_time=5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert got.error is not None
    assert peak < 20 << 20
