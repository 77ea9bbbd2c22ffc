"""Whether a picture may be taken for training: robots.txt, X-Robots-Tag, TDM reservation, Content-Usage.

Sources: RFC 9309 (robots.txt); TDMRep, W3C community group report of 2024; draft-ietf-aipref-attach and -vocab (Content-Usage, in a header
and in robots.txt); Content-Signal, the same in other words.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from protego import Protego

from anidata.fetch import AGENT

ROBOTS_LIMIT = 512 << 10  # bytes that are read of a robots.txt; RFC 9309 asks for 500 KiB at least
TDM_LIMIT = 1 << 20  # bytes that are read of a tdmrep.json
TDM_PATH = "/.well-known/tdmrep.json"
NO_TAGS = {"noai", "noimageai", "noml"}
USAGES = {"train-ai": "n", "train-genai": "n", "ai-train": "no"}  # preference → the word that forbids
USAGE_FIELDS = ("content-usage", "content-signal")

Refusal = tuple[str, str]  # code, sentence


@dataclass(frozen=True)
class Welcome:
    """What one authority says of all its URLs."""

    robots: Protego | None = None  # None: nothing is forbidden
    forbidden: str = ""  # why nothing may be asked for at all
    usages: tuple[tuple[str, str], ...] = ()  # (path, preference) of robots.txt
    reserved: tuple[tuple[str, bool], ...] = field(
        default=()
    )  # (location, whether it is reserved) of tdmrep.json

    @property
    def delay(self) -> float:
        """Seconds between requests that robots.txt asks for."""
        return float((self.robots and self.robots.crawl_delay(AGENT)) or 0)

    def refusal(self, url: str, path: str) -> Refusal | None:
        """Why a URL isn't to be asked for."""
        if self.forbidden:
            return "robots", self.forbidden
        if self.robots is not None and not self.robots.can_fetch(url, AGENT):
            return "robots", "its robots.txt forbids it"
        usage = [
            text for at, text in sorted(self.usages) if path.startswith(at)
        ]  # the longest path speaks last
        if usage and _forbids(usage[-1]):
            return "content_usage", f"its robots.txt says {usage[-1]}"
        if self._is_reserved(path):
            return "tdm_reserved", f"its {TDM_PATH} reserves text and data mining"
        return None

    def _is_reserved(self, path: str) -> bool:
        """Whether the first location of a tdmrep.json that matches reserves, or the longest.

        TDMRep, section on the file: the most specific match counts, and that is the first in sequence. Many files have it elsewhere. So a
        reservation by either reading is heeded.
        """
        found = [
            (_specificity(location), reserved)
            for location, reserved in self.reserved
            if _matches(location, path)
        ]
        return bool(found) and (found[0][1] or max(found)[1])


def from_robots(text: str) -> Welcome:
    """What a robots.txt says."""
    return Welcome(Protego.parse(text), usages=_usages(text))


def with_rules(found: Welcome, data: bytes) -> Welcome:
    """The same, with what a tdmrep.json says."""
    return replace(found, reserved=tdm_rules(data))


def tdm_rules(data: bytes) -> tuple[tuple[str, bool], ...]:
    """The rules of a tdmrep.json, in order. What is none is passed over."""
    try:
        rules = json.loads(data)
    except (ValueError, RecursionError):
        return ()
    found = [rule for rule in (rules if isinstance(rules, list) else [rules]) if isinstance(rule, dict)]
    return tuple(
        (rule["location"], _is_one(rule.get("tdm-reservation")))
        for rule in found
        if isinstance(rule.get("location"), str)
    )


def header_refusal(headers: Mapping[str, list[str]]) -> Refusal | None:
    """Why a picture isn't to be taken, by the headers of its answer; names in lower case."""
    for value in headers.get("x-robots-tag", []):
        if found := NO_TAGS & _tags(value):
            return "noai", f"X-Robots-Tag says {min(found)}"
    if any(_is_one(value.strip()) for value in headers.get("tdm-reservation", [])):
        return "tdm_reserved", "its header reserves text and data mining"
    for name in USAGE_FIELDS:
        for value in headers.get(name, []):
            if _forbids(value):
                return "content_usage", f"{name.title()} says {value.strip()[:80]}"
    return None


def _is_one(value: Any) -> bool:
    return str(value) == "1"


def _tags(value: str) -> set[str]:
    """The words of an X-Robots-Tag that are meant for all, or for us: 'noai', 'otherbot: noindex, noai'."""
    agent, colon, rest = value.partition(":")
    if (
        colon
        and re.fullmatch(r"[\w*-]+", agent.strip())
        and agent.strip().lower() not in ("unavailable_after", "max-snippet")
    ):
        if agent.strip().lower() not in ("*", AGENT):
            return set()
        value = rest
    return {word.strip().lower() for word in value.split(",")}


def _forbids(value: str) -> bool:
    for member in value.lower().split(","):
        name, _, word = member.split(";")[0].strip().partition("=")
        if USAGES.get(name.strip()) == word.strip(' "?'):
            return True
    return False


def _matches(location: str, path: str) -> bool:
    """Whether a location of tdmrep.json, with * and $ as in robots.txt, is one of this path."""
    pattern = re.escape(location.removesuffix("$")).replace(r"\*", ".*")
    return re.match(pattern + ("$" if location.endswith("$") else ""), path, re.DOTALL) is not None


def _specificity(location: str) -> tuple[int, bool]:
    """How closely a location names its paths: characters that aren't wildcards, then whether it is anchored."""
    return len(location.removesuffix("$").replace("*", "")), location.endswith("$")


def _usages(text: str) -> tuple[tuple[str, str], ...]:
    """Content-Usage and Content-Signal of the group that is ours, or else of the one that is everyone's: (path, preference)."""
    found: dict[str, list[tuple[str, str]]] = {AGENT: [], "*": []}
    agents: list[str] = []
    named, ours = False, False
    for line in text.splitlines():
        name, colon, value = line.split("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            continue
        if name == "user-agent":
            agents = [*(agents if named else []), value.lower()]
            ours = ours or value.lower() == AGENT
        elif name in USAGE_FIELDS:
            path, _, rest = value.partition(" ") if value.startswith("/") else ("/", "", value)
            for agent in found.keys() & set(agents):
                found[agent].append((path, rest.strip()))
        named = name == "user-agent"
    return tuple(found[AGENT] if ours else found["*"])
