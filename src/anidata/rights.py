"""Licenses and ratings by strictness: a picture seen in several places has the strictest of what they say."""

import re

RATINGS = ("g", "s", "q", "e")  # general, sensitive, questionable, explicit

# first match decides; from free to all rights reserved; what nothing here knows stands before "all rights reserved"
_LICENSES = (
    r"\bcc0\b|creativecommons\.org/publicdomain|public.?domain|\bpdm?\b|unlicense|\bwtfpl\b|\b0bsd\b",
    r"\bmit\b|\bbsd\b|\bisc\b|apache|zlib|expat",
    r"\bcc[ -]?by(?![ -]?(nc|nd|sa))|licenses/by/",
    r"\bcc[ -]?by[ -]?sa(?![ -]?nc)|licenses/by-sa/|\bofl\b|\boga[ -]?by",
    r"gpl|copyleft|\bfal\b|free art licen[cs]e",
    r"\bcc[ -]?by[ -]?nd|licenses/by-nd/",
    r"\bcc[ -]?by[ -]?nc(?![ -]?(nd|sa))|licenses/by-nc/",
    r"\bcc[ -]?by[ -]?nc[ -]?sa|licenses/by-nc-sa/",
    r"\bcc[ -]?by[ -]?nc[ -]?nd|licenses/by-nc-nd/",
)
_RESERVED = r"all rights reserved|proprietary|copyright|©|no licen[cs]e"


def license_rank(text: str) -> int:
    """0 for public domain, higher the more a license forbids; names this table doesn't know count as strict."""
    low = text.lower().replace("_", "-")
    for rank, pattern in reversed(list(enumerate(_LICENSES))):
        if re.search(pattern, low):
            return rank
    return len(_LICENSES) + bool(re.search(_RESERVED, low))


def rating_rank(text: str) -> int:
    """0 for general to 3 for explicit; an unknown rating counts as the strictest."""
    return RATINGS.index(text) if text in RATINGS else len(RATINGS)
