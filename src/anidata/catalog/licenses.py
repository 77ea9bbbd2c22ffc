"""Licenses and ratings by strictness: a picture seen in several places has the strictest of what they say."""

import re

RATINGS = ("g", "s", "q", "e")  # general, sensitive, questionable, explicit

# From free to strict, by what they forbid: nothing; to hide the author; to close what is made of it, in
# two degrees; to change it; to earn by it, alone and with the others. What nothing here knows comes next,
# and last that all rights are reserved.
(
    _PUBLIC,
    _PERMISSIVE,
    _BY,
    _SHARE_ALIKE,
    _COPYLEFT,
    _NO_CHANGES,
    _UNPAID,
    _UNPAID_ALIKE,
    _UNPAID_NO_CHANGES,
    UNKNOWN,
    RESERVED,
) = range(11)
_NAMES = (
    (_PUBLIC, r"\bcc-?0\b|publicdomain|public.domain|\bpdm?\b|\bunlicense\b|\bwtfpl\b|\b0bsd\b"),
    (
        _PERMISSIVE,
        r"(?:^|[^a-z])mit(?=$|[ -]licen|[,/|)]| or | and )|\bbsd\b|\bisc\b|\bapache\b|\bzlib\b|\bexpat\b",
    ),
    (_SHARE_ALIKE, r"\bofl\b|\boga[ -]?by"),
    (_COPYLEFT, r"gpl|gfdl|gnu (?:general|free|lesser|affero)|copyleft|\bfal\b|free art licen[cs]e"),
)
_TERMS = {
    "": _BY,
    "sa": _SHARE_ALIKE,
    "nd": _NO_CHANGES,
    "nc": _UNPAID,
    "nc sa": _UNPAID_ALIKE,
    "nc nd": _UNPAID_NO_CHANGES,
}
_CREATIVE_COMMONS = re.compile(r"\bcc[ -]*((?:(?:by|nc|nd|sa)\b[ -]*)+)")
_SPELLED = (
    (r"creativecommons\.org/licenses/|creative ?commons|\bcc(?=by)", "cc "),
    (r"\battribution\b", "by"),
    (r"\bnon-? ?commercial\b", "nc"),
    (r"\bno-? ?deriv(?:ative)?s?\b(?: works)?", "nd"),
    (r"\bshare-? ?alike\b", "sa"),
    (r"\b(by|nc|nd|sa)(?=(?:nc|nd|sa)+\b)", r"\1-"),
)
_RESERVED = (
    r"\ball rights reserved|\bproprietary|\bno licen[cs]e|\bunlicensed|\bnot (?:in the |in )?public.domain"
)
_OWNED = r"copyright|©|\(c\)"  # beside a license, it only says whose it is


def license_rank(text: str) -> int:
    """0 for public domain, higher the more a license forbids; of several the strictest.

    What isn't known counts as strict.
    """
    low = re.sub(r"[_\s]+", " ", text.lower())
    if re.search(_RESERVED, low):
        return RESERVED
    ranks = [rank for rank, pattern in _NAMES if re.search(pattern, low)] + _creative_commons(low)
    return max(ranks, default=RESERVED if re.search(_OWNED, low) else UNKNOWN)


def _creative_commons(low: str) -> list[int]:
    """The rank of each Creative Commons license in a text of small letters."""
    for pattern, short in _SPELLED:
        low = re.sub(pattern, short, low)
    return [_rank_of_terms(terms) for terms in _CREATIVE_COMMONS.findall(low)]


def _rank_of_terms(terms: str) -> int:
    """Of 'by-nc-sa' and its like; terms that don't go together count as the strictest."""
    restrictions = set(re.findall(r"[a-z]+", terms)) - {"by"}
    return _TERMS.get(" ".join(sorted(restrictions)), _UNPAID_NO_CHANGES)


def rating_rank(text: str) -> int:
    """0 for general to 3 for explicit; an unknown rating counts as the strictest."""
    return RATINGS.index(text) if text in RATINGS else len(RATINGS)
