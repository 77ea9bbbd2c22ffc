"""No credential in what others write reaches what is published, whatever its form and wherever it stands.

What is to be fetched is asked for as it is written, and kept where its owner alone may read it.
"""

import io
import json
import os
import stat
import subprocess
import sys
import tarfile
import time
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from anidata import registry
from anidata.cli import entry
from anidata.errors import SourceError
from anidata.sources import Options, Record
from anidata.sources.web.published import published
from anidata.sources.web.secrets import has_secrets, scrubbed, url_without_secrets
from anidata.stages.ingest import private
from anidata.workspace import Workspace
from gallery_lab import Booru, needs_gallery_dl, post, settings
from web_lab import Web, page, picture

SECRET = "S3cr3tV4lue"
INNER = f"https://mei:{SECRET}@b.example/a.png?token={SECRET}&x=1"


def encoded(text, times=1):
    for _ in range(times):
        text = quote(text, safe="")
    return text


# a URL's ending, behind its path
QUERIES = {
    "aws v4": f"?X-Amz-Algorithm=AWS4&X-Amz-Credential={SECRET}%2F2026&X-Amz-Signature={SECRET}&v=1",
    "aws session": f"?x-amz-security-token={SECRET}%2B%3D",
    "aws v2": f"?AWSAccessKeyId={SECRET}&Expires=17{SECRET}&Signature={SECRET}%3D",
    "gcs v2": f"?GoogleAccessId={SECRET}&Expires=1&Signature={SECRET}",
    "gcs v4": f"?X-Goog-Credential={SECRET}&X-Goog-Signature={SECRET}",
    "azure sas": f"?sv=2020-{SECRET}&sr=b&sig={SECRET}%3D&se=2026&sp=r&skoid={SECRET}",
    "cloudfront": f"?Policy={SECRET}__&Signature={SECRET}~&Key-Pair-Id={SECRET}",
    "akamai query": f"?hdnts=exp=1~acl=/*~hmac={SECRET}",
    "akamai token": f"?__token__=exp=1~acl=%2f*~hmac={SECRET}",
    "akamai path": f"/exp=1~acl=/*~hmac={SECRET}/2.png",
    "alibaba": f"?OSSAccessKeyId={SECRET}&Signature={SECRET}",
    "discord": f"?ex={SECRET}&is={SECRET}&hm={SECRET}",
    "bearer": f"?bearer={SECRET}",
    "access_token": f"?access_token={SECRET}&v=1",
    "api key": f"?api_key={SECRET}&api-key={SECRET}&apikey={SECRET}&x-api-key={SECRET}&key={SECRET}",
    "jwt": f"?jwt={SECRET}.{SECRET}",
    "jwt in the path": f"/eyJhbGciOi.eyJ{SECRET}.{SECRET}/2.png",
    "password": f"?user=mei&password={SECRET}&pwd={SECRET}&pass={SECRET}",
    "session": f";jsessionid={SECRET}?PHPSESSID={SECRET}&sid={SECRET}",
    "fragment": f"#access_token={SECRET}&x=1",
    "name encoded": f"?%74oken={SECRET}",
    "name doubled": f"?%2574oken={SECRET}",
    "query encoded": f"%3Ftoken%3D{SECRET}%26x%3D1",
    "semicolons": f"?a=1;token={SECRET};b=2",
    "html": f"?a=1&amp;token={SECRET}&amp;b=2",
    "nested": f"?url={INNER}",
    "nested encoded": f"?url={encoded(INNER)}&y=1",
    "nested doubled": f"?url={encoded(INNER, 2)}&y=1",
    "nested thrice": f"?url={encoded(INNER, 3)}&y=1",
    "oauth": f"?oauth_signature={SECRET}&oauth_consumer_key={SECRET}",
    "secure link": f"?md5={SECRET}&expires=1&sign={SECRET}",
}
FORMS = {
    **{name: f"https://a.example/1.png{query}" for name, query in QUERIES.items()},
    "user and password": f"https://mei:{SECRET}@a.example/1.png",
    "user alone": f"https://{SECRET}@a.example/1.png",
    "at in password": f"https://mei:x@{SECRET}@a.example/1.png",
    "no scheme": f"//mei:{SECRET}@a.example/1.png",
    "login encoded": f"https%3A%2F%2Fmei%3A{SECRET}%40a.example%2F1.png",
    "escaped in json": f"https:\\/\\/mei:{SECRET}@a.example\\/1.png?x=1\\u0026token={SECRET}",
}
PLAIN = [
    "1girl cookie, smile",
    "pass the cookie: yum",
    "=_= >_= :=3 a=1 b=2 sign=x key=d",
    "https://a/b@2x.png?v=2",
    "mei@host.example",
    "https://danbooru.donmai.us/posts?tags=1girl&md5=abc&page=2",
    "https://a.example/?expires=5&e=1&hash=2#top",
    "CC BY 4.0",
    "50% off; see https://x.example/?q=a%20b",
    "https://i.pximg.net/img-original/img/2020/01/01/00/00/00/1_p0.png",
    "https://a.example/b?",
]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_gone_from_urls_and_texts_and_gone_once(form):
    url = FORMS[form]
    for text in (url, f"seen at {url} yesterday", f'{{"source": "{url}"}}', f"({url})"):
        assert SECRET not in scrubbed(text)
        assert scrubbed(scrubbed(text)) == scrubbed(text)
        assert has_secrets(text)
    assert SECRET not in url_without_secrets(url)
    assert not has_secrets(url_without_secrets(url)) or "***" in url_without_secrets(url)


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_credential_stays_as_it_is(text):
    assert scrubbed(text) == text == url_without_secrets(text)


@given(st.text())
def test_any_text_is_scrubbed_once_and_for_all(text):
    once = scrubbed(text)
    assert scrubbed(once) == once


@given(
    st.from_regex(r"[a-z]{1,9}", fullmatch=True),
    st.integers(0, 4),
    st.sampled_from(["token", "sig", "X-Amz-Date"]),
)
def test_a_parameter_is_gone_however_often_it_is_encoded(word, times, name):
    url = f"https://a.example/?u={encoded(f'https://b.example/?{word}=1&{name}={SECRET}&z=2', times)}&end=1"
    assert SECRET not in scrubbed(url)
    assert scrubbed(url).endswith("end=1")


@pytest.mark.parametrize(
    "piece",
    [
        "://",
        "%3a%2f%2f",
        "cookie:",
        "eyJ",
        "bearer ",
        "?token",
        "%25",
        "?a=",
        "token=",
        "%",
        "://a@",
        "?token=x'",
    ],
)
def test_no_text_takes_long(piece):
    text = (piece * (1 << 20))[: 1 << 20]
    begun = time.perf_counter()
    scrubbed(text)
    assert time.perf_counter() - begun < 10


@pytest.mark.parametrize(
    "name", ["token", "api_key", "Authorization", "password", "X-Amz-Signature", "jwt", "cookies"]
)
def test_fields_that_are_credentials_are_gone_on_every_level(name):
    extra = json.dumps(
        {"a": [{name: SECRET, "keep": 1}], name: [SECRET], "key": "0001", "signature": "below"}
    )
    record = published(Record(root="r", name="n", file="f", extra=extra))
    assert json.loads(record.extra) == {"a": [{"keep": 1}], "key": "0001", "signature": "below"}


def test_a_record_without_secrets_is_the_same():
    record = Record(root="r", name="n?x=1", file="f", caption="a=b", tags=("=_=",), extra='{"tokens": 3}')
    assert published(record) is record


# --- whole runs ---------------------------------------------------------------------------------------------


def anidata(*words):
    """What a command says, on both outputs."""
    done = subprocess.run(
        [sys.executable, "-m", "anidata", *map(str, words)],
        capture_output=True,
        text=True,
        env=os.environ | {"ANIDATA_QUIET": ""},
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout + done.stderr


def quickly(*words):
    """The same in this process."""
    result = CliRunner().invoke(entry.app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def leaks(folder):
    """The files of a folder that hold the secret, in whatever packing."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and SECRET in _content(path)]


def _content(path):
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            return f"{file.read().to_pylist()} {file.schema_arrow.metadata}"
    return path.read_bytes().decode("utf-8", "replace")


def check_published(work, *said):
    """Nothing of WORK but its private folder, and nothing of the data set, holds the secret."""
    hidden = work / "private"
    assert [path for path in leaks(work) if hidden not in path.parents] == []
    for path in hidden.glob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    tables = ("records", "images", "pairs", "samples", "fetches")
    words = [quickly("query", work, f"SELECT * FROM {name}", "--format", "json") for name in tables]
    for text in (*said, *words, quickly("report", work), quickly("status", work)):
        assert SECRET not in text
    assert [path for path in leaks(work) if hidden not in path.parents] == []


def run(work, source):
    """What a whole recipe says; the data set isn't empty."""
    said = anidata(
        *("run", "quickstart", work, source, "--set", "ingest.fetch.allow_private=true"),
        *("--set", "ingest.fetch.rate=0", "--set", "ingest.fetch.tries=1", "--set", "clean.min_side=16"),
    )
    assert quickly("query", work, "SELECT count(*) FROM samples", "--format", "csv").split()[-1] != "0"
    return said


def large(seed):
    return picture(seed, 320)


NOTES = {
    "caption": f"see {FORMS['aws v4']} or {FORMS['user and password']}",
    "artist": f"mei {FORMS['access_token']}",
    "license": f"CC0 {FORMS['nested doubled']}",
    "source": FORMS["cloudfront"],
    "sources": list(FORMS.values()),
    "tags": f"1girl, {FORMS['azure sas']}",
    "nested": {"deep": [{"api_key": SECRET, "url": FORMS["akamai query"]}]},
    "token": SECRET,
}


@pytest.mark.slow
def test_a_list_of_urls_is_fetched_as_it_is_and_published_without_secrets(tmp_path):
    rows = ["url,caption,token,more"]
    with Web() as web:
        for number, query in enumerate(QUERIES.values()):
            path = f"p/{number}.png{query}"
            rows.append(f'{web.url(path)},"at {FORMS["gcs v4"]}",{SECRET},"{FORMS["nested encoded"]}"')
            rows.append(f"{web.url(f'gone/{number}.png{query}')},,,")
        rows.append(f"http://mei:{SECRET}@[::1/{'x' * 300},,,")
        rows.append(f"{web.url('p/99.png').replace('//', f'//mei:{SECRET}@')},,,")
        web.ways["p"] = lambda client, asked: client.answer(
            large(int(asked.path.split("/")[2].partition(".")[0]))
        )
        web.pages["/go"] = page(b"", "302 Found", Location=web.url(f"p/500.png?X-Amz-Signature={SECRET}"))
        rows.append(f"{web.url('go')},,,")
        (tmp_path / "list.csv").write_text("\n".join(rows))
        said = run(tmp_path / "work", f"urls:{tmp_path / 'list.csv'}")
        asked = " ".join(web.log.paths())
        assert f"X-Amz-Signature={SECRET}" in asked
        assert "p/500.png" in asked
        again = anidata("ingest", tmp_path / "work", "--retry", "failed", "--allow-private")
        assert web.log.count(f"/gone/0.png{QUERIES['aws v4']}") == 2
        fresh = anidata(
            "ingest", tmp_path / "work", f"urls:{tmp_path / 'list.csv'}", "--refresh", "--allow-private"
        )
    rows = json.loads(
        anidata("query", tmp_path / "work", "SELECT record, status FROM records", "--format", "json")
    )
    assert len(rows) == len({row["record"] for row in rows}) == 2 * len(QUERIES) + 3
    assert list((tmp_path / "work" / "private").glob("*"))
    check_published(tmp_path / "work", said, again, fresh)


def test_urls_that_differ_in_secrets_alone_are_told_apart_as_before(tmp_path, command, inline):
    with Web() as web:
        web.ways["p"] = lambda client, asked: client.answer(large(int(asked.path[-1])))
        lines = [web.url(f"p/x?sig={n}") for n in (1, 2)]
        (tmp_path / "list.txt").write_text("\n".join(lines))
        command("ingest", tmp_path / "work", f"urls:{tmp_path / 'list.txt'}", "--allow-private")
        command("ingest", tmp_path / "work", f"urls:{tmp_path / 'list.txt'}", "--allow-private")
        assert sorted(path for path in web.log.paths() if "sig" in path) == ["/p/x?sig=1", "/p/x?sig=2"]
    rows = json.loads(command("query", tmp_path / "work", "SELECT url, key FROM records", "--format", "json"))
    assert [row["url"] for row in rows] == [web.url("p/x")] * 2
    assert len({row["key"] for row in rows}) == 2


def test_what_is_kept_apart_is_joined_with_its_own_alone(tmp_path):
    def row(url, line=None):
        return {"record": "r", "generation": 0, "at_uri": url, "line_uri": line}

    workspace = Workspace(tmp_path)
    whole = [
        row(f"https://a.example/1?v=1&sig={SECRET}", f"https://a.example/2?sig={SECRET}"),
        row("blobs/a.tar"),
    ]
    [shown] = private.kept_apart(workspace, 0, [whole])
    assert SECRET not in repr(shown)
    assert private.joined(workspace, 0, 0, shown) == whole
    other = [row("https://b.example/1?v=1")]
    assert private.joined(workspace, 0, 0, other) == other
    assert private.joined(workspace, 0, 1, shown) == shown


@pytest.mark.slow
def test_a_redirect_into_anothers_lane_leaves_no_secret(tmp_path):
    with Web("127.0.0.1", "127.0.0.2") as web:
        for number in range(4):
            there = web.url(f"p/{number}?sig={SECRET}", f"127.0.0.{1 + number % 2}")
            web.pages[f"/go/{number}"] = page(b"", "302 Found", Location=there)
        web.ways["p"] = lambda client, asked: client.answer(large(int(asked.path.split("/")[2][0])))
        urls = [web.url(f"go/{n}", f"127.0.0.{2 - n % 2}") for n in range(4)]
        (tmp_path / "list.txt").write_text("\n".join(urls))
        said = anidata(
            "ingest", tmp_path / "work", f"urls:{tmp_path / 'list.txt'}", "--allow-private", "--workers", 2
        )
    rows = json.loads(quickly("query", tmp_path / "work", "SELECT status FROM records", "--format", "json"))
    assert [row["status"] for row in rows] == ["ok"] * 4
    check_published(tmp_path / "work", said)


@pytest.mark.slow
def test_sidecars_of_a_folder_leave_no_secret(tmp_path):
    folder = tmp_path / "pile"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.png").write_bytes(large(number))
    (folder / "0.json").write_text(json.dumps(NOTES))
    (folder / "1.txt").write_text(f"A drawing, {NOTES['caption']}.")
    (folder / "metadata.csv").write_text(
        f'file_name,caption,artist,source\n2.png,"{NOTES["caption"]}","{NOTES["artist"]}",{FORMS["nested"]}\n'
    )
    said = run(tmp_path / "work", folder)
    check_published(tmp_path / "work", said)
    texts = quickly("query", tmp_path / "work", "SELECT caption, url FROM records")
    assert "https://a.example/1.png" in texts


@pytest.mark.slow
def test_rows_of_parquet_leave_no_secret(tmp_path):
    rows = [{"image": large(n), **NOTES, "token": SECRET} for n in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    said = run(tmp_path / "work", f"parquet:{tmp_path / 'a.parquet'}")
    check_published(tmp_path / "work", said)


@pytest.mark.slow
def test_samples_of_a_tar_leave_no_secret(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        for number in range(3):
            for ending, data in (("png", large(number)), ("json", json.dumps(NOTES).encode())):
                info = tarfile.TarInfo(f"{number}.{ending}")
                info.size = len(data)
                file.addfile(info, io.BytesIO(data))
    said = run(tmp_path / "work", f"webdataset:{tmp_path / 'a.tar'}")
    check_published(tmp_path / "work", said)


@pytest.mark.slow
@needs_gallery_dl
def test_posts_of_a_gallery_leave_no_secret(tmp_path, monkeypatch):
    settings(tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    posts = [
        post(1, source=FORMS["user and password"], api_key=SECRET, more=NOTES),
        post(2, file_url=f"/good/2.png?{QUERIES['aws v4'][1:]}"),
        post(3, file_url=f"ftp://mei:{SECRET}@a.example/3.png?token={SECRET}"),
    ]
    with Booru(posts) as booru:
        said = run(tmp_path / "work", booru.source)
        assert any(f"X-Amz-Signature={SECRET}" in path for path in booru.asked)
    check_published(tmp_path / "work", said)


@pytest.mark.parametrize("kind", ["urls", "parquet", "webdataset"])
@pytest.mark.parametrize("form", ["user and password", "aws v4", "azure sas", "nested doubled", "fragment"])
def test_a_source_with_credentials_in_its_url_is_refused_and_not_repeated(tmp_path, kind, form):
    with pytest.raises(SourceError, match="Download the file") as caught:
        registry.load("sources", kind).check(f"{kind}:{FORMS[form]}")
    assert SECRET not in str(caught.value)
    said = anidata_fails("ingest", tmp_path / "work", f"{kind}:{FORMS[form]}")
    assert SECRET not in said
    assert leaks(tmp_path) == []


@pytest.mark.parametrize("form", ["user and password", "aws v4", "nested doubled"])
def test_a_source_that_is_none_is_not_repeated_with_its_credentials(tmp_path, form):
    assert SECRET not in anidata_fails("ingest", tmp_path / "work", FORMS[form])


def anidata_fails(*words):
    done = subprocess.run(
        [sys.executable, "-m", "anidata", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode not in (0, 1)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "text",
    [
        f"http://mei:{SECRET}@[::1/x",
        f"http://mei:{SECRET}\u2100@a/",
        f"http://a:{SECRET}/",
        f"http://mei:{SECRET}@/",
    ],
)
def test_what_is_no_url_isnt_told_with_its_password(tmp_path, text):
    (tmp_path / "list.txt").write_text(text + "x" * 300)
    source = registry.load("sources", "urls")
    [record] = source.records(f"urls:{tmp_path / 'list.txt'}", Options(base=tmp_path))
    assert record.error == "bad_url"
    assert SECRET not in published(record).message


def test_no_secret_stays_of_a_name_that_is_cut(tmp_path):
    (tmp_path / "list.txt").write_text(f"http://mei:{SECRET}{'x' * 300}@[::1/x")
    source = registry.load("sources", "urls")
    [record] = source.records(f"urls:{tmp_path / 'list.txt'}", Options(base=tmp_path))
    assert SECRET not in repr(published(record))
