"""Whether a picture may be taken for training: robots.txt, X-Robots-Tag, TDM reservation, Content-Usage.

Sources: RFC 9309 (robots.txt); TDMRep, W3C community group report of 2024; draft-ietf-aipref-attach and
-vocab (Content-Usage, in a header and in robots.txt); Content-Signal, the same in other words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from anidata.fetch import AGENT, FetchError
from anidata.fetch.patterns import LONGEST, RULES, Pattern, Watch
from anidata.fetch.robots import NOTHING, RIGHTS, Robots, TooManyRules, grouped, parsed
from anidata.tar import untrusted

ROBOTS_LIMIT = 512 << 10  # bytes that are read of a robots.txt; RFC 9309 asks for 500 KiB at least
TDM_LIMIT = 1 << 20  # bytes that are read of a tdmrep.json
TDM_PATH = "/.well-known/tdmrep.json"
NO_TAGS = {"noai", "noimageai", "noml"}
USAGES = {"train-ai": "n", "train-genai": "n", "ai-train": "no"}  # preference → the word that forbids
NO_AGENTS = ("unavailable_after", "max-snippet")  # words of X-Robots-Tag that have a colon and name nobody
QUOTED = 80  # characters of a header that are cited

Refusal = tuple[str, str]  # code, sentence
Usage = tuple[str, str]  # beginning of a path, preference


class Reservation(NamedTuple):
    """A rule of a tdmrep.json."""

    pattern: Pattern
    specificity: tuple[int, bool]  # characters that aren't wildcards; whether it is anchored
    is_reserved: bool


@dataclass(frozen=True)
class Rules:
    """All that one authority says of its URLs."""

    robots: Robots = NOTHING
    forbidden: Refusal | None = None  # why nothing may be asked for at all
    usages: tuple[Usage, ...] = ()  # of robots.txt
    reservations: tuple[Reservation, ...] = ()  # of tdmrep.json
    watch: Watch = field(default_factory=Watch, compare=False)

    @property
    def delay(self) -> float:
        """Seconds between requests that robots.txt asks for."""
        return self.robots.delay

    def refusal(self, path: str) -> Refusal | None:
        """Why a path with its query isn't to be asked for; so it is where rules take too long to tell."""
        if self.forbidden:
            return self.forbidden
        try:
            with self.watch:
                return self._refusal(path)
        except FetchError as failure:
            return failure.code, failure.message

    def _refusal(self, path: str) -> Refusal | None:
        """Raises: FetchError: it takes too long."""
        if not self.robots.allows(path, self.watch):
            return "robots", "its robots.txt forbids it"
        usage = self._usage(path)
        if usage and _forbids(usage):
            return "content_usage", f"its robots.txt says {usage[:QUOTED]}"
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
        matching = []
        for rule in self.reservations:
            self.watch.tick()
            if rule.pattern.matches(path):
                matching.append((rule.specificity, rule.is_reserved))
        if not matching:
            return False
        first, longest = matching[0], max(matching)
        return first[1] or longest[1]


def from_robots(text: str) -> Rules:
    """The rules in a robots.txt; one with more than are read forbids everything."""
    try:
        usages = _usages(text)
        return Rules(parsed(text), usages=usages)
    except TooManyRules as error:
        return Rules(forbidden=("robots", f"{error}"))


def with_reservations(rules: Rules, data: bytes) -> Rules:
    """The same rules, with those of a tdmrep.json; one with more than are read reserves everything."""
    try:
        return replace(rules, reservations=reservations(data))
    except TooManyRules as error:
        return replace(rules, forbidden=("tdm_reserved", f"{error}"))


def reservations(data: bytes) -> tuple[Reservation, ...]:
    """The rules of a tdmrep.json, in order. Entries that are none are passed over. Raises: TooManyRules."""
    try:
        content = untrusted.read_json(data)
    except ValueError as error:
        if data.count(b'"location"') > RULES:  # too many to be read at all
            raise TooManyRules(f"its {TDM_PATH} has more than {RULES:,} rules") from error
        return ()
    entries = content if isinstance(content, list) else [content]
    rules = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("location"), str)]
    if len(rules) > RULES:
        raise TooManyRules(f"its {TDM_PATH} has more than {RULES:,} rules")
    read = (_reservation(rule["location"], _is_one(rule.get("tdm-reservation"))) for rule in rules)
    return tuple(rule for rule in read if rule.is_reserved or not rule.pattern.is_cut)


def _reservation(location: str, is_reserved: bool) -> Reservation:
    characters = len(location.removesuffix("$").replace("*", ""))
    return Reservation(Pattern.of(location), (characters, location.endswith("$")), is_reserved)


def header_refusal(headers: Mapping[str, list[str]]) -> Refusal | None:
    """Why a picture isn't to be taken, by the headers of its response; names in lower case."""
    for value in headers.get("x-robots-tag", []):
        if forbidding := NO_TAGS & _tags(value):
            return "noai", f"X-Robots-Tag says {min(forbidding)}"
    if any(_is_one(value.strip()) for value in headers.get("tdm-reservation", [])):
        return "tdm_reserved", "its header reserves text and data mining"
    for name in RIGHTS:
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


def _usages(text: str) -> tuple[Usage, ...]:
    """Content-Usage and Content-Signal of the group that is ours, or else of the one that is everyone's.

    Raises: TooManyRules.
    """
    usages: dict[str, list[Usage]] = {AGENT: [], "*": []}
    has_ours = False
    for agents, name, value in grouped(text):
        has_ours = has_ours or AGENT in agents
        for agent in usages.keys() & set(agents) if name in RIGHTS else ():
            usages[agent].append(_usage(value))
        if max(map(len, usages.values())) > RULES:
            raise TooManyRules(f"its robots.txt has more than {RULES:,} rules")
    return tuple(usages[AGENT] if has_ours else usages["*"])


def _usage(value: str) -> Usage:
    path, _, preference = value.partition(" ") if value.startswith("/") else ("/", "", value)
    return path[:LONGEST], preference[:LONGEST].strip()
