"""robots.txt by RFC 9309: the rules for us, in the order in which they count.

Only the groups that may be ours are kept, so that no number of names times rules is ever held. Read as
generously as Protego reads: misspelled fields, fields without a colon.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

from anidata.fetch import AGENT
from anidata.fetch.patterns import RULES, Pattern, Watch

AGENTS = ("user-agent", "useragent", "user agent")
DISALLOW = ("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw")
ALLOW = ("allow",)
DELAY = ("crawl-delay", "crawl delay")
OF_THE_SITE = ("sitemap", "sitemaps", "site-map", "host")  # stand in no group
RIGHTS = ("content-usage", "content-signal")
FIELDS = (*AGENTS, *DISALLOW, *ALLOW, *DELAY, *OF_THE_SITE, *RIGHTS)
KEPT = "/%*"  # what stays encoded where it is: to decode it would change its meaning
INDEX = "/index.html"


class TooManyRules(ValueError):
    """A robots.txt with more rules for us than are read."""


@dataclass(frozen=True)
class Robots:
    """What a robots.txt says to us of paths."""

    rules: tuple[tuple[Pattern, bool], ...] = ()  # and whether it allows; the first that matches counts
    delay: float = 0.0  # seconds between requests that it asks for

    def allows(self, path: str, watch: Watch) -> bool:
        """Whether a path with its query may be asked for. Raises: FetchError: it takes too long to tell."""
        if path.partition("?")[0] == "/robots.txt":
            return True
        spelled = _spelled(path)
        for pattern, is_allowed in self.rules:
            watch.tick()
            if pattern.matches(spelled):
                return is_allowed
        return True


NOTHING = Robots()  # is forbidden


@dataclass
class _Group:
    """The rules for one name."""

    rules: list[tuple[int, bool, Pattern]] = field(default_factory=list)  # length, allows
    delay: float = 0.0

    def add(self, text: str, *, allows: bool) -> None:
        """Raises: TooManyRules."""
        if "$" in text:  # it may be meant as it stands
            self._add(text.replace("$", "%24"), allows=allows)
        self._add(text, allows=allows)
        if allows and text.endswith(INDEX):
            self._add(text.removesuffix("index.html") + "$", allows=True)

    def _add(self, text: str, *, allows: bool) -> None:
        whole = "$" * text.endswith("$")
        spelled = _spelled(text.removesuffix("$")) + whole
        pattern = Pattern.of(spelled)
        if allows and pattern.is_cut:
            return
        self.rules.append((len(spelled), allows, pattern))
        if len(self.rules) > RULES:
            raise TooManyRules(f"its robots.txt has more than {RULES:,} rules")


def parsed(text: str) -> Robots:
    """The rules of the group that names us most closely, or else of everyone's. Raises: TooManyRules."""
    groups: dict[str, _Group] = {}
    for names, name, value in grouped(text):
        for agent in names:
            _take(groups.setdefault(agent, _Group()), name, value)
    if not groups:
        return NOTHING
    group = groups[max(groups, key=lambda agent: (agent != "*", len(agent)))]
    ordered = sorted(group.rules, key=lambda rule: rule[:2], reverse=True)
    return Robots(tuple((pattern, allows) for _, allows, pattern in ordered), group.delay)


def grouped(text: str) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield each field that stands in a group that may be ours: by which of our names, its own, its value.

    A name is yielded too, with an empty field: a group may say nothing.
    """
    agents: tuple[str, ...] = ()
    in_names = False
    for name, value in _fields(text):
        if name in AGENTS:
            agents = agents if in_names else ()
            in_names = True
            for agent in {value.lower(), value.lower().replace("*", "") or "*"}:
                if agent not in agents and (agent == "*" or (agent and AGENT.startswith(agent))):
                    agents += (agent,)
            yield agents, "", ""
        elif name not in OF_THE_SITE:
            in_names = False
            if agents and value:
                yield agents, name, value


def _take(group: _Group, name: str, value: str) -> None:
    if name in DISALLOW or name in ALLOW:
        group.add(value, allows=name in ALLOW)
    elif name in DELAY:
        group.delay = _seconds(value, group.delay)


def _seconds(value: str, otherwise: float) -> float:
    try:
        seconds = float(value)
    except ValueError:
        return otherwise
    return seconds if math.isfinite(seconds) and seconds >= 0 else otherwise


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of a robots.txt: name in lower case, value."""
    for line in text.splitlines():
        content = line.partition("#")[0].strip()
        name, colon, value = content.partition(":")
        name = name.strip().lower()
        if colon and (name in FIELDS or not value or value[0].isspace()):
            yield name, value.strip()
        else:
            yield from _without_colon(content)


def _without_colon(line: str) -> Iterator[tuple[str, str]]:
    words = line.split(None, 2)
    for count in (1, 2):
        name = " ".join(words[:count]).lower()
        if name in FIELDS:
            yield name, " ".join(words[count:])
            return


def _spelled(text: str) -> str:
    """A path or pattern in the one spelling in which they are compared."""
    if text.startswith(("http://", "https://")):  # a mistake of whoever wrote the rule
        text = f"/{text}"
    kept = "%".join(_kept_escapes(text))
    return quote(unquote_to_bytes(kept).decode("utf-8", "replace"), safe="/%*=")


def _kept_escapes(text: str) -> Iterator[str]:
    """Yield the pieces between percent signs, so that those of KEPT and broken ones outlive unquoting."""
    first, *others = text.split("%")
    yield first
    for piece in others:
        code = piece[:2].upper()
        try:
            is_kept = len(code) < 2 or chr(int(code, 16)) in KEPT
        except ValueError:
            is_kept = True
        yield f"25{code}{piece[2:]}" if is_kept else piece
