"""A URL has one spelling, without credentials; what is no URL of the web is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.fetch.urls import BadURL, canonical, host_of, lane_of


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("HTTP://Example.COM:80/a b?q=é#top", "http://example.com/a%20b?q=%C3%A9"),
        ("https://user:secret@example.com:443", "https://example.com/"),
        ("https://例え.jp/画", "https://xn--r8jz45g.jp/%E7%94%BB"),
        ("http://[2001:DB8:0::1]:8080/x", "http://[2001:db8::1]:8080/x"),
        ("http://a.example/%zz%41", "http://a.example/%25zz%41"),
        ("  http://a.example./x\n", "http://a.example/x"),
    ],
)
def test_a_url_has_one_spelling_without_credentials(text, wanted):
    assert canonical(text) == wanted == canonical(wanted)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "ftp://a/b",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://a:99999/",
        "http://[::1",
        "http://a b/",
        "http://[fe80::1%25eth0]/",
        "http://a/" + "x" * 9000,
        "javascript:alert(1)",
    ],
)
def test_what_is_no_url_of_the_web_is_told(text):
    with pytest.raises(BadURL):
        canonical(text)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_url_or_told(text):
    for one in (text, f"http://a.example/{text}", f"http://{text}/"):
        try:
            url = canonical(one)
        except BadURL:
            continue
        assert canonical(url) == url
        assert url.isascii()
        assert host_of(url)
        assert lane_of(url) == lane_of(url.partition("?")[0])
