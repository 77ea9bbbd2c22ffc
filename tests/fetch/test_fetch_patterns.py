"""What hosts write as rules is matched in linear time, and as others match it.

No rule of a host keeps us from asking another.
"""

import asyncio
import json
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from protego import Protego

from anidata.fetch import Bounds, Config, Request, opt_out, patterns
from anidata.fetch.client import Fetcher
from anidata.fetch.patterns import LONGEST, RULES, STARS, Pattern, Watch
from anidata.fetch.robots import parsed
from web_lab import Web, page

WORDS = st.text("ab/*$%2F.", max_size=12)
PATHS = st.text("ab/$%2F.?=", max_size=16).map(lambda text: f"/{text}")
LINES = st.one_of(
    st.builds("{}: {}".format, st.sampled_from(["Allow", "Disallow", "disalow", "Crawl-delay"]), WORDS),
    st.sampled_from(
        [
            "User-agent: *",
            "User agent anidata",
            "user-agent: other",
            "User-agent: anidata*",
            "Disallow: /index.html",
            "Allow: /a/index.html",
            "Crawl-delay: 3",
            "Sitemap: /x",
            "Content-Usage: train-ai=y",
            "# nothing",
            "",
            "nonsense",
        ]
    ),
)


def takes(seconds, work):
    begun = time.perf_counter()
    result = work()
    assert time.perf_counter() - begun < seconds
    return result


@given(WORDS, PATHS)
@example("/*a*$", "/aa")
def test_a_pattern_matches_what_a_regular_expression_would(text, path):
    expression = re.escape(text.removesuffix("$")).replace(r"\*", ".*") + "$" * text.endswith("$")
    assert Pattern.of(text).matches(path) == bool(re.match(expression, path, re.DOTALL))


@given(st.lists(LINES, max_size=12), PATHS)
@settings(max_examples=400)
def test_a_robots_txt_says_to_us_what_protego_reads_in_it(lines, path):
    text = "\n".join(["User-agent: *", *lines])
    oracle, robots = Protego.parse(text), parsed(text)
    assert robots.allows(path, Watch()) == oracle.can_fetch(f"http://a.example{path}", "anidata")
    assert robots.delay == (oracle.crawl_delay("anidata") or 0)


HOSTILE = {
    "stars": "*a" * 12 + "b",
    "many stars": "/" + "*a" * 100_000,
    "dollars": "/*$" * 1000 + "$",
    "long": "/" + "a" * 400_000,
    "ends": "/*" + "a" * 2000 + "b$",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_location_of_a_tdmrep_json_takes_long(name):
    entries = [{"location": HOSTILE[name], "tdm-reservation": 0}] * (
        1 << 20 >> len(HOSTILE[name]).bit_length()
    )
    data = json.dumps(entries[:RULES]).encode()[: opt_out.TDM_LIMIT]
    rules = opt_out.with_reservations(opt_out.Rules(), data)
    takes(2, lambda: rules.refusal("/" + "a" * 7999))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("rule", ["Allow", "Disallow", "Content-Usage"])
def test_no_rule_of_a_robots_txt_takes_long(name, rule):
    line = f"{rule}: {HOSTILE[name]}\n"
    text = ("User-agent: *\n" + line * (opt_out.ROBOTS_LIMIT // len(line)))[: opt_out.ROBOTS_LIMIT]
    rules = takes(5, lambda: opt_out.from_robots(text))
    takes(2, lambda: rules.refusal("/" + "a" * 7999))


def test_no_number_of_names_times_rules_is_read():
    names = "".join(f"User-agent: a{n}\n" for n in range(16_000))
    text = names + "Allow: /\n" * 25_000 + "User-agent: *\nDisallow: /x\n"
    rules = takes(5, lambda: opt_out.from_robots(text))
    assert rules.refusal("/x") == ("robots", "its robots.txt forbids it")


def test_a_rule_that_is_cut_forbids_more_and_allows_nothing():
    long, starry = "/a" + "b" * LONGEST, "/a" + "*b" * (STARS + 5)
    for text in (long, starry):
        path = "/a" + "b" * 4000
        assert not parsed(f"User-agent: *\nDisallow: {text}\nDisallow: {text}x$").allows(path, Watch())
        assert not parsed(f"User-agent: *\nDisallow: /\nAllow: {text}").allows(path, Watch())
        for reserved, code in ((1, "tdm_reserved"), (0, None)):
            entry = {"location": text, "tdm-reservation": reserved}
            refusal = opt_out.with_reservations(opt_out.Rules(), json.dumps([entry]).encode()).refusal(path)
            assert (refusal and refusal[0]) == code


def test_more_rules_than_are_read_forbid_everything():
    robots = opt_out.from_robots("User-agent: *\n" + "Allow: /\n" * (RULES + 1))
    assert robots.refusal("/a") == ("robots", f"its robots.txt has more than {RULES:,} rules")
    usages = opt_out.from_robots("User-agent: *\n" + "Content-Usage: train-ai=y\n" * (RULES + 1))
    assert usages.refusal("/a")[0] == "robots"
    data = json.dumps([{"location": "/x", "tdm-reservation": 0}] * (RULES + 1)).encode()
    assert opt_out.with_reservations(opt_out.Rules(), data).refusal("/a")[0] == "tdm_reserved"


def test_rules_that_take_too_long_for_a_url_forbid_it(monkeypatch):
    rules = opt_out.from_robots("User-agent: *\n" + "Disallow: /*b\n" * 200)
    assert rules.refusal("/a") is None
    monkeypatch.setattr(patterns, "TIME", -1.0)
    assert rules.refusal("/a")[0] == "robots"


def test_rules_that_take_long_for_one_url_after_the_other_forbid_the_others(monkeypatch):
    monkeypatch.setattr(patterns, "PATIENCE", 0.05)
    monkeypatch.setattr(patterns, "EACH", 0.0)
    rules = opt_out.from_robots("User-agent: *\n" + "Disallow: /*aaaab\n" * 5000)
    refusals = [rules.refusal("/" + "a" * 7990) for _ in range(50)]
    assert refusals[0] is None
    assert refusals[-1] == ("robots", "its host's rules have taken more than 0.05 s")


def test_a_host_with_hostile_rules_keeps_no_other_waiting(tmp_path):
    """Twelve stars were enough to stop everything for days."""
    entries = [{"location": "/" + "*a" * 12 + "b", "tdm-reservation": 1}] * 500
    path = "good/" + "a" * 4000
    with Web("127.0.0.1", "127.0.0.2") as web:
        web.pages["127.0.0.1/.well-known/tdmrep.json"] = page(json.dumps(entries).encode())
        web.pages["127.0.0.1/robots.txt"] = page(b"User-agent: *\nDisallow: /" + b"*a" * 12 + b"b\n")

        async def ask():
            async with Fetcher(Config(allow_private=True, rate=0), Bounds(1 << 20, 200), tmp_path) as fetcher:
                urls = [web.url(path), *(web.url(f"good/{n}", "127.0.0.2") for n in range(5))]
                requests = [Request(record=url, url=url) for url in urls]
                return await asyncio.gather(*map(fetcher.fetch, requests))

        answers = takes(30, lambda: asyncio.run(ask()))
    for answer in answers:
        answer.body.close()
    assert [answer.error for answer in answers] == [None] * 6
