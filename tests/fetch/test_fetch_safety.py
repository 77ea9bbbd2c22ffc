"""Nothing but the open internet is asked, whatever a list, a redirect or a name server says.

No response takes more than its bounds.
"""

import asyncio
import ipaddress
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anidata.fetch import Bounds, Config, FetchError, Request
from anidata.fetch.addresses import Addresses, is_public
from anidata.fetch.client import Fetcher
from web_lab import Web, page, picture

CLOSED = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "::127.0.0.1",
    "fec0::1",
    "2606:4700::1%eth0",
]
OPEN = [
    "93.184.216.34",
    "8.8.8.8",
    "172.32.0.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
QUICK = {"backoff": 0.001, "rate": 0}


@pytest.mark.parametrize("address", CLOSED)
def test_addresses_of_networks_that_are_ours_or_nobodys_are_closed(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", OPEN)
def test_addresses_of_the_open_internet_are_open(address):
    assert is_public(address)


@settings(deadline=None)
@given(st.ip_addresses())
@example(ipaddress.ip_address("192.0.0.1"))
def test_what_python_calls_private_link_local_multicast_or_reserved_is_closed(address):
    if (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
    ):
        assert not is_public(str(address)) or (
            address.version == 6 and is_public(str(address.ipv4_mapped or address))
        )


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_as_open_as_it_is_alone(address):
    for outer in (
        f"::ffff:{address}",
        str(ipaddress.IPv6Address((0x64FF9B << 96) | int(address))),
        f"2002:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}::1",
    ):
        assert is_public(outer) == is_public(str(address))


def asked(web, urls, lookup=None, bounds=None, **more):
    """The answers to URLs, their bodies closed."""

    async def ask(folder):
        names = {"lookup": lookup} if lookup else {}
        async with Fetcher(
            Config(**QUICK | more), bounds or Bounds(1 << 24, 200), folder, **names
        ) as fetcher:
            answers = await asyncio.gather(
                *(fetcher.fetch(Request(record=str(n), url=url)) for n, url in enumerate(urls))
            )
            for answer in answers:
                if answer.body:
                    answer.body.close()
            return answers

    return asyncio.run(ask(web.folder))


@pytest.fixture
def web(tmp_path):
    with Web("127.0.0.1", "127.0.0.2") as web:
        web.folder = tmp_path
        yield web


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ],
)
def test_no_spelling_of_this_machine_is_asked(web, host):
    [answer] = asked(web, [f"http://{host}:{web.port}/good/1"])
    assert answer.error in ("private_address", "unresolved")
    assert web.log.asked == []


def test_a_name_that_leads_to_a_private_address_is_refused_even_if_it_leads_to_a_public_one_too(web):
    async def lookup(name):
        return ["93.184.216.34", "127.0.0.1"]

    [answer] = asked(web, [f"http://pictures.example:{web.port}/good/1"], lookup)
    assert (answer.error, answer.http) == ("private_address", None)
    assert web.log.asked == []


@pytest.mark.parametrize(
    "there",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://inside.example/x",
        "http://[::ffff:10.0.0.1]/",
        "//127.0.0.3/x",
    ],
)
def test_a_redirect_to_a_private_address_is_refused(web, there, monkeypatch):
    """The first hop is let through, as if it were public."""
    monkeypatch.setattr("anidata.fetch.addresses.is_public", lambda address: address == "127.0.0.1")
    web.pages["/hop"] = page(b"", "302 Found", Location=there)

    async def lookup(name):
        return ["10.0.0.7"]

    [answer] = asked(web, [web.url("hop")], lookup)
    assert (answer.error, answer.redirects) == ("private_address", 1)


@pytest.mark.parametrize(
    ("there", "code"),
    [("file:///etc/passwd", "bad_redirect"), ("gopher://x/", "bad_redirect"), ("http://[/", "bad_redirect")],
)
def test_a_redirect_to_another_scheme_is_refused(web, there, code):
    web.pages["/hop"] = page(b"", "302 Found", Location=there)
    [answer] = asked(web, [web.url("hop")], allow_private=True)
    assert answer.error == code


def test_a_name_is_looked_up_once_and_what_was_checked_is_what_is_connected_to(web, monkeypatch):
    """A name server that answers otherwise the second time is never asked a second time."""
    monkeypatch.setattr("anidata.fetch.addresses.is_public", lambda address: address == "127.0.0.1")
    asked_for = []

    async def lookup(name):
        asked_for.append(name)
        return ["127.0.0.1"] if len(asked_for) == 1 else ["127.0.0.2"]

    answers = asked(web, [f"http://turning.example:{web.port}/good/{n}" for n in range(5)], lookup)
    assert [answer.error for answer in answers] == [None] * 5
    assert asked_for == ["turning.example"]
    assert web.log.count("/good/0") == 1


def test_no_socket_is_made_for_an_address_that_isnt_allowed_whoever_asks():
    addresses = Addresses(allow_private=False)
    with pytest.raises(FetchError, match="private_address"):
        addresses.make_socket((2, 1, 6, "", ("127.0.0.1", 80)))


def test_a_name_that_cant_be_resolved_is_told_and_tried_again(web):
    asked_for = []

    async def lookup(name):
        asked_for.append(name)
        raise OSError("no such name")

    [answer] = asked(web, ["http://nowhere.example/a.png"], lookup, tries=3)
    assert answer.error == "unresolved"
    assert len(asked_for) == 3


def test_a_large_body_never_stands_in_memory(web):
    bounds = Bounds(16 << 20, 200)
    asked(web, [web.url("good/1")], allow_private=True)
    tracemalloc.start()
    answers = asked(
        web, [web.url(f"endless/{n}") for n in range(8)], bounds=bounds, allow_private=True, concurrency=8
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert {answer.error for answer in answers} == {"too_large"}
    assert peak < 40 << 20


def test_headers_are_bounded(web):
    web.pages["/long"] = page(picture(1), X_Long="x" * 20_000)
    web.pages["/many"] = page(picture(1), **{f"X_{n}": "x" for n in range(300)})
    answers = asked(web, [web.url("long"), web.url("many")], allow_private=True)
    assert [answer.error for answer in answers] == ["bad_answer"] * 2


def test_a_length_beyond_the_limit_is_believed_and_the_body_never_read(web):
    async def boast(client, _):
        await client.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        await client.reader.read()

    web.ways["boast"] = boast
    [answer] = asked(web, [web.url("boast/1")], allow_private=True, idle_time=60)
    assert (answer.error, answer.tries) == ("too_large", 1)
