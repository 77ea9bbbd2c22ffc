"""Whether a picture may be taken for training: robots.txt, X-Robots-Tag, TDM reservation, Content-Usage.

Sources: RFC 9309 (robots.txt); TDMRep, W3C community group report of 2024; draft-ietf-aipref-attach and
-vocab (Content-Usage, in a header and in robots.txt); Content-Signal, the same in other words.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from protego import Protego

from anidata.fetch import AGENT

ROBOTS_LIMIT = 512 << 10  # bytes that are read of a robots.txt; RFC 9309 asks for 500 KiB at least
TDM_LIMIT = 1 << 20  # bytes that are read of a tdmrep.json
TDM_PATH = "/.well-known/tdmrep.json"
NO_TAGS = {"noai", "noimageai", "noml"}
USAGES = {"train-ai": "n", "train-genai": "n", "ai-train": "no"}  # preference → the word that forbids
USAGE_FIELDS = ("content-usage", "content-signal")

NO_AGENTS = ("unavailable_after", "max-snippet")  # words of X-Robots-Tag that have a colon and name nobody
QUOTED = 80  # characters of a header that are cited

Refusal = tuple[str, str]  # code, sentence
Usage = tuple[str, str]  # beginning of a path, preference
Reservation = tuple[str, bool]  # location, whether it is reserved


@dataclass(frozen=True)
class Rules:
    """All that one authority says of its URLs."""

    robots: Protego | None = None  # None: nothing is forbidden
    forbidden: str = ""  # why nothing may be asked for at all
    usages: tuple[Usage, ...] = ()  # of robots.txt
    reservations: tuple[Reservation, ...] = ()  # of tdmrep.json

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
        usage = self._usage(path)
        if usage and _forbids(usage):
            return "content_usage", f"its robots.txt says {usage}"
        if self._is_reserved(path):
            return "tdm_reserved", f"its {TDM_PATH} reserves text and data mining"
        return None

    def _usage(self, path: str) -> str:
        """The preference of the longest path that matches; empty: of none."""
        _, preference = max((usage for usage in self.usages if path.startswith(usage[0])), default=("", ""))
        return preference

    def _is_reserved(self, path: str) -> bool:
        """Whether the first location of a tdmrep.json that matches reserves, or the longest.

        TDMRep, section on the file: the most specific match counts, and that is the first in sequence. Many
        files have it elsewhere. So a reservation by either reading is heeded.
        """
        matching = [
            (_specificity(location), is_reserved)
            for location, is_reserved in self.reservations
            if _matches(location, path)
        ]
        if not matching:
            return False
        first, longest = matching[0], max(matching)
        return first[1] or longest[1]


def from_robots(text: str) -> Rules:
    """The rules in a robots.txt."""
    return Rules(Protego.parse(text), usages=_usages(text))


def with_reservations(rules: Rules, data: bytes) -> Rules:
    """The same rules, with those of a tdmrep.json."""
    return replace(rules, reservations=reservations(data))


def reservations(data: bytes) -> tuple[Reservation, ...]:
    """The rules of a tdmrep.json, in order. Entries that are none are passed over."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return ()
    entries = content if isinstance(content, list) else [content]
    rules = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("location"), str)]
    return tuple((rule["location"], _is_one(rule.get("tdm-reservation"))) for rule in rules)


def header_refusal(headers: Mapping[str, list[str]]) -> Refusal | None:
    """Why a picture isn't to be taken, by the headers of its response; names in lower case."""
    for value in headers.get("x-robots-tag", []):
        if forbidding := NO_TAGS & _tags(value):
            return "noai", f"X-Robots-Tag says {min(forbidding)}"
    if any(_is_one(value.strip()) for value in headers.get("tdm-reservation", [])):
        return "tdm_reserved", "its header reserves text and data mining"
    for name in USAGE_FIELDS:
        for value in headers.get(name, []):
            if _forbids(value):
                return "content_usage", f"{name.title()} says {value.strip()[:QUOTED]}"
    return None


def _is_one(value: Any) -> bool:
    return str(value) == "1"


def _tags(value: str) -> set[str]:
    """The words of an X-Robots-Tag that are meant for all, or for us: 'noai', 'otherbot: noindex, noai'."""
    prefix, colon, words = value.partition(":")
    agent = prefix.strip().lower()
    is_name = colon and re.fullmatch(r"[\w*-]+", prefix.strip())
    names_agent = is_name and agent not in NO_AGENTS
    if names_agent and agent not in ("*", AGENT):
        return set()
    return {word.strip().lower() for word in (words if names_agent else value).split(",")}


def _forbids(value: str) -> bool:
    for member in value.lower().split(","):
        name, _, word = member.split(";")[0].strip().partition("=")
        if USAGES.get(name.strip()) == word.strip(' "?'):
            return True
    return False


def _matches(location: str, path: str) -> bool:
    """Whether a location of tdmrep.json, with * and $ as in robots.txt, is one of this path."""
    pattern = re.escape(location.removesuffix("$")).replace(r"\*", ".*")
    end = "$" if location.endswith("$") else ""
    return re.match(pattern + end, path, re.DOTALL) is not None


def _specificity(location: str) -> tuple[int, bool]:
    """How closely a location names its paths.

    By its characters that aren't wildcards, then by whether it is anchored.
    """
    return len(location.removesuffix("$").replace("*", "")), location.endswith("$")


def _usages(text: str) -> tuple[Usage, ...]:
    """Content-Usage and Content-Signal of the group that is ours, or else of the one that is everyone's."""
    usages: dict[str, list[Usage]] = {AGENT: [], "*": []}
    agents: list[str] = []
    in_names, has_ours = False, False
    for name, value in _fields(text):
        if name == "user-agent":
            agents = [*(agents if in_names else []), value.lower()]
            has_ours = has_ours or value.lower() == AGENT
        elif name in USAGE_FIELDS:
            for agent in usages.keys() & set(agents):
                usages[agent].append(_usage(value))
        in_names = name == "user-agent"
    return tuple(usages[AGENT] if has_ours else usages["*"])


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of a robots.txt: name in lower case, value."""
    for line in text.splitlines():
        name, colon, value = line.split("#")[0].partition(":")
        if colon:
            yield name.strip().lower(), value.strip()


def _usage(value: str) -> Usage:
    path, _, preference = value.partition(" ") if value.startswith("/") else ("/", "", value)
    return path, preference.strip()
