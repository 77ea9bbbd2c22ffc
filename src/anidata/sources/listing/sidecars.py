"""Notes on a picture from the files beside it.

They are tags in X.txt, gallery-dl's X.json; the Hub's metadata.csv and metadata.jsonl are metadata.py's.
All of it is untrusted: nothing here raises on what it is given but `BadSidecar`, and every text that comes
out can be encoded as UTF-8.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from anidata.sources.listing import dates
from anidata.tar import untrusted
from anidata.tar.untrusted import LONGEST_TEXT, MOST_EXTRA, MOST_TAGS

SIDECAR_LIMIT = 4 << 20  # bytes of X.txt or X.json; a larger one is ignored

RATINGS = {"general": "g", "sensitive": "s", "safe": "s", "questionable": "q", "explicit": "e"}
LICENSE = ("license", "licence", "license_name", "rights")
ARTIST = ("artist", "artists", "tags_artist", "tag_string_artist", "author", "creator", "creators", "user")
URL = ("url", "file_url", "source", "page_url", "post_url", "webpage_url")
CAPTION = ("caption", "text", "description")
KNOWN = {
    *LICENSE,
    *ARTIST,
    *CAPTION,
    "rating",
    "tags",
    "tag_string",
}  # have columns; a URL may be another page's
WORDS = (
    "tags_artist",
    "tag_string_artist",
)  # of these a text holds names parted by spaces, as boorus write them
NAMES = ("name", "username", "title", "tag")  # of an object that stands for its name
LEFT_OUT = "left_out"  # in `extra`: the names of fields that are more than any picture has
NAMED = 64  # of those names, and characters of each
LONGEST_TAG = 8  # words: 'the legend of zelda: breath of the wild'; longer is prose
LONGEST_PHRASE = 3  # words of a line with neither comma nor underscore: 'looking at viewer'; longer is prose


@dataclass(frozen=True, kw_only=True, slots=True)
class Notes:
    """What is known of a picture beyond its bytes. Its repr is part of stamps that are written down."""

    license: str | None = None
    artist: str | None = None
    rating: str | None = None
    tags: tuple[str, ...] = ()
    url: str | None = None
    caption: str | None = None
    # The date that is stated, as it is written. It goes into `extra`; stamps written down don't know of it.
    stated: str | None = field(default=None, repr=False)

    def over(self, other: "Notes") -> "Notes":
        """These notes, and the other's where these say nothing."""
        return Notes(**{name: getattr(self, name) or getattr(other, name) for name in self.__slots__})

    def fields(self) -> dict[str, Any]:
        """The notes by name, as a Record has them."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "stated"}


def digest_of(*values: object) -> str:
    """12 hex digits that change when one of the values does: what goes into a record's stamp."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:12]


class BadSidecar(Exception):
    """A sidecar that can't be read; the picture beside it is none the worse."""


def clean(text: str) -> str:
    """A text that UTF-8 can hold: without NULs, U+FFFD for lone surrogates, no space around it."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text.replace("\0", "")).strip()


def from_text(data: bytes) -> Notes:
    """Tags parted by commas or lines, or else a caption.

    Prose is: a line that ends a sentence (. ! ? 。); more than 8 words between two commas; a single line of
    more than 3 words without comma or underscore. A single line of words with an underscore among them is a
    booru's list parted by spaces.
    Raises: BadSidecar: more tags or longer texts than any picture has.
    """
    text = clean(data.decode("utf-8-sig", "replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if _is_prose(lines):
        return Notes(caption=short(" ".join(lines)))
    is_spaced = len(lines) == 1 and "," not in text and "_" in text
    tags = text.split() if is_spaced else [tag for line in lines for tag in line.split(",")]
    if len(tags) > MOST_TAGS:
        raise BadSidecar(f"{len(tags):,} tags; the limit is {MOST_TAGS:,}")
    return Notes(tags=_distinct(map(short, tags)))


def short(text: str) -> str:
    """A text as it is. Raises: BadSidecar: it is longer than any picture's."""
    if len(text) > LONGEST_TEXT:
        raise BadSidecar(f"a text of {len(text):,} characters; the limit is {LONGEST_TEXT:,}")
    return text


def from_json(data: bytes) -> Notes:
    """The notes in an object as gallery-dl writes it for boorus, pixiv and others.

    Raises: BadSidecar: no JSON, no object, nested too deep, or more than any picture has.
    """
    fields = object_of(data.decode("utf-8-sig", "replace"))
    if long := _cut(fields):
        raise BadSidecar(f"{_short_list(long)}: more than {MOST_TAGS:,} tags or {LONGEST_TEXT:,} characters")
    return from_fields(fields)


def from_fields(fields: Mapping[str, Any]) -> Notes:
    """The notes in a row of metadata or an object of JSON, by the names that galleries give them.

    What is longer than any picture has is cut; `extra_of` names it.
    """
    rating = _first(fields, ("rating",))
    return Notes(
        license=_first(fields, LICENSE),
        artist=_first(fields, ARTIST),
        rating=RATINGS.get(rating.lower(), rating.lower()) if rating else None,
        tags=_few(_tags(fields)),
        url=_first(fields, URL),
        caption=_first(fields, CAPTION),
        stated=dates.stated(fields),
    )


def extra_of(fields: Mapping[str, Any]) -> str | None:
    """The fields that have no column of their own, as a JSON object, without those that say nothing.

    Where they are more than any picture has, `left_out` names those that are cut or missing.
    """
    extra = {name: value for name, value in fields.items() if name not in KNOWN and _says_something(value)}
    cut = _cut({name: value for name, value in fields.items() if name in KNOWN})
    if not extra and not cut:
        return None
    whole = {**extra, LEFT_OUT: _short_list(cut)} if cut else extra
    return _json(whole) or _json(_fitting(extra, cut))


def _json(value: Any) -> str | None:
    """A value as JSON; None where it is too deep or too long."""
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    except (RecursionError, ValueError):  # ValueError: a number of more digits than Python writes
        return None
    return clean(text) if len(text) <= MOST_EXTRA else None


def _fitting(extra: dict[str, Any], cut: list[str]) -> dict[str, Any]:
    """The fields that are short, as many as fit; and the names of the others."""
    fitting: dict[str, Any] = {}
    room = MOST_EXTRA // 2
    for name in sorted(extra):
        text = _json({name: extra[name]})
        if text is None or len(text) > min(LONGEST_TEXT, room):
            cut = [*cut, name] if len(cut) < NAMED else cut
            continue
        room -= len(text)
        fitting[name] = extra[name]
    return {**fitting, LEFT_OUT: _short_list(cut)}


def _few(tags: tuple[str, ...]) -> tuple[str, ...]:
    """As many tags as a picture may have, of as many characters as a text may."""
    if len(tags) <= MOST_TAGS and sum(map(len, tags)) <= LONGEST_TEXT:
        return tags
    ends = accumulate(map(len, tags[:MOST_TAGS]))
    return tuple(tag for tag, end in zip(tags, ends, strict=False) if end <= LONGEST_TEXT)


def _cut(fields: Mapping[str, Any]) -> list[str]:
    """The names of fields that are longer than any picture's."""
    return [name for name, value in fields.items() if _is_long(value)]


def _is_long(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) > LONGEST_TEXT
    if isinstance(value, dict):  # of lists by kind
        return any(_is_long(one) for one in value.values() if not isinstance(one, dict))
    if not isinstance(value, list):
        return False
    return len(value) > MOST_TAGS or sum(len(one) for one in value if isinstance(one, str)) > LONGEST_TEXT


def _short_list(names: list[str]) -> str:
    return ", ".join(name[:NAMED] for name in names[:NAMED])


def _says_something(value: Any) -> bool:
    return value not in (None, "", []) and not isinstance(value, bytes)


def _is_prose(lines: list[str]) -> bool:
    if any(line.endswith((".", "!", "?", "。")) and len(line.split()) > 1 for line in lines):
        return True
    phrases = (phrase for line in lines for phrase in line.split(","))
    if any(len(phrase.split()) > LONGEST_TAG for phrase in phrases if "_" not in phrase):
        return True
    return len(lines) == 1 and not set(",_") & set(lines[0]) and len(lines[0].split()) > LONGEST_PHRASE


def object_of(text: str) -> dict[str, Any]:
    """Read a JSON object. Raises: BadSidecar: no JSON, no object, nested too deep, or too many values."""
    try:
        value = untrusted.read_json(text)
    except ValueError as error:
        raise BadSidecar(str(error) if isinstance(error, untrusted.TooMuch) else "no JSON") from error
    if not isinstance(value, dict):
        raise BadSidecar("no JSON object")
    return value


def _first(fields: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """The first of the named fields that says something, as text."""
    for name in names:
        value = fields.get(name)
        if name in WORDS and isinstance(value, str):
            value = value.split()
        words = _texts(value)
        if words:
            return ", ".join(words)[:LONGEST_TEXT]
    return None


def _texts(value: Any) -> tuple[str, ...]:
    """A text, a number, a name in an object, or a list of these, as texts."""
    if isinstance(value, list):
        flat = (one for one in value if not isinstance(one, list))
        return _distinct(text for one in flat for text in _texts(one))
    if isinstance(value, dict):
        return _texts(next((value[key] for key in NAMES if isinstance(value.get(key), str)), None))
    if isinstance(value, str):
        return (clean(value),) if clean(value) else ()
    return (str(value),) if isinstance(value, int | float) and not isinstance(value, bool) else ()


def _tags(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """All tags: of `tags`, or else `tag_string`, or else `tags_general`, `tags_character` and their kin."""
    for name in ("tags", "tag_string"):
        if tags := _split(fields.get(name)):
            return tags
    kin = sorted(name for name in fields if name.startswith(("tags_", "tag_string_")))
    return _distinct(tag for name in kin for tag in _split(fields[name]))


def _split(value: Any) -> tuple[str, ...]:
    """The tags in a list, in an object of lists by kind, or in a text parted by commas, else by spaces."""
    if isinstance(value, str):
        return _distinct(value.split(",") if "," in value else value.split())
    if isinstance(value, dict):
        lists = (tags for tags in value.values() if not isinstance(tags, dict))
        return _distinct(tag for tags in lists for tag in _texts(tags))
    return _texts(value)


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in map(clean, words) if word))


READERS: dict[str, Callable[[bytes], Notes]] = {".json": from_json, ".txt": from_text}  # in order of trust
