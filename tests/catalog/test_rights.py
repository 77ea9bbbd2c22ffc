"""Of several licenses and ratings the strictest counts, however they are spelled."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anidata.catalog.licenses import license_rank, rating_rank

# From free to strict. Within a class no license forbids more than another.
CLASSES = {
    "public domain": [
        "CC0",
        "cc0-1.0",
        "CC0 1.0 Universal",
        "CC Zero / CC0",
        "Public Domain",
        "public_domain",
        "PD",
        "Unlicense",
        "https://creativecommons.org/publicdomain/zero/1.0/",
        "http://creativecommons.org/publicdomain/mark/1.0/deed.de",
    ],
    "permissive": [
        "MIT",
        "mit",
        "MIT License",
        "BSD-3-Clause",
        "Apache-2.0",
        "MIT OR Apache-2.0",
        "zlib",
        "ISC",
        "MIT/X11",
    ],
    "attribution": [
        "CC-BY",
        "CC BY 4.0",
        "cc_by_3.0",
        "cc-by-4.0",
        "https://creativecommons.org/licenses/by/4.0/",
        "CCBY 4.0",
        "Creative Commons Attribution 4.0 International",
        "Copyright 2020 Somebody, CC BY 4.0",
        "(c) Somebody, CC-BY",
    ],
    "share alike": [
        "CC BY-SA",
        "cc by-sa 4.0",
        "CC-BY-SA-3.0",
        "CC_BY_SA",
        "https://creativecommons.org/licenses/by-sa/4.0/deed.fr",
        "Creative Commons Attribution-ShareAlike 4.0",
        "Creative Commons Attribution Share Alike",
        "OFL-1.1",
        "OGA-BY 3.0",
    ],
    "copyleft": [
        "GPL",
        "GPL-3.0-or-later",
        "AGPLv3",
        "LGPL-2.1",
        "GNU General Public License v3",
        "GFDL",
        "CC BY-SA 3.0 / GPL 2.0",
    ],
    "no changes": [
        "CC BY-ND 4.0",
        "cc-by-nd",
        "http://creativecommons.org/licenses/by-nd/2.0/",
        "Creative Commons Attribution-NoDerivs",
    ],
    "unpaid": [
        "CC BY-NC",
        "cc-by-nc-4.0",
        "CC BY NC",
        "https://creativecommons.org/licenses/by-nc/4.0",
        "Creative Commons Attribution-NonCommercial",
    ],
    "unpaid, share alike": [
        "CC BY-NC-SA 4.0",
        "cc_by_nc_sa",
        "https://creativecommons.org/licenses/by-nc-sa/3.0/",
        "Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International",
    ],
    "unpaid, no changes": [
        "CC BY-NC-ND 4.0",
        "cc-by-nc-nd",
        "https://creativecommons.org/licenses/by-nc-nd/4.0/",
        "Creative Commons Attribution-Non-Commercial-No Derivative Works",
    ],
    "unknown": [
        "",
        "whatever",
        "personal use only",
        "ask me",
        "nur mit Erlaubnis",
        "permitted",
        "custom",
    ],
    "reserved": [
        "All rights reserved",
        "© 2020 Somebody",
        "Copyright Somebody",
        "proprietary",
        "no license",
        "Unlicensed",
        "not in the public domain",
        "All Rights Reserved. Preview under CC BY",
    ],
}
SPELLINGS = [spelling for spellings in CLASSES.values() for spelling in spellings]


@pytest.mark.parametrize("name", CLASSES)
def test_all_spellings_of_a_class_of_licenses_are_equally_strict(name):
    assert len({spelling: license_rank(spelling) for spelling in CLASSES[name]}) == len(CLASSES[name])
    assert {license_rank(spelling) for spelling in CLASSES[name]} == {license_rank(CLASSES[name][0])}


def test_the_classes_come_from_free_to_strict():
    ranks = [license_rank(spellings[0]) for spellings in CLASSES.values()]
    assert ranks[0] == 0
    assert all(free < strict for free, strict in itertools.pairwise(ranks))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_case_and_white_space_do_not_matter(spelling):
    rank = license_rank(spelling)
    for same in (spelling.upper(), spelling.lower(), spelling.replace(" ", "  ")):
        assert license_rank(same) == rank


@given(
    st.sampled_from(CLASSES["attribution"] + CLASSES["permissive"]),
    st.sampled_from(CLASSES["unpaid"] + CLASSES["copyleft"]),
)
def test_of_several_licenses_in_one_text_the_strictest_counts(free, strict):
    for text in (f"{free} and {strict}", f"{strict} and {free}"):
        assert license_rank(text) == license_rank(strict)


@given(st.text())
def test_any_text_has_a_rank(text):
    assert 0 <= license_rank(text) <= license_rank("all rights reserved")


def test_ratings_go_from_general_to_explicit_and_an_unknown_one_is_the_strictest():
    ranks = [rating_rank(word) for word in ("g", "s", "q", "e", "?")]
    assert ranks == sorted(set(ranks))
    assert rating_rank("") == rating_rank("?")
