"""A list of URLs of which a third fail in twelve ways, over many hosts.

Nothing hangs, and every one is a row with the right code.
"""

import json
import socket
from collections import Counter

import pytest

from storm_lab import AT_ONCE, CODES, set_options, storm
from web_lab import Web


@pytest.mark.parametrize(("urls", "hosts"), [(117, 5), pytest.param(3000, 20, marks=pytest.mark.slow)])
def test_every_url_is_a_row_with_the_right_code_and_no_host_is_asked_more_at_once_than_stated(
    tmp_path, command, urls, hosts
):
    with Web(*(f"127.0.0.{n}" for n in range(2, 2 + hosts))) as web, socket.socket() as closed:
        sightings, wanted = [], {}
        for way, n, url in storm(web, closed, urls):
            sightings.append(json.dumps({"image_url": url, "way": way, "n": n}))
            wanted[url] = CODES[way]
        path, work = tmp_path / "list.jsonl", tmp_path / "work"
        path.write_text("\n".join(sightings))
        command("ingest", work, f"urls:{path}", "--allow-private", "--workers", 2, *set_options())
        sql = "SELECT url, status, error, extra FROM records"
        rows = json.loads(command("query", work, sql, "--format", "json"))
        assert {row["url"]: row["error"] for row in rows} == wanted
        assert len(rows) == urls
        assert all((row["status"] == "ok") == (row["error"] is None) for row in rows)
        shares = Counter(json.loads(row["extra"])["way"] for row in rows)
        assert all(shares[way] >= urls / 100 for way in CODES)
        assert set(web.log.most) == set(web.addresses)
        assert max(web.log.most.values()) <= AT_ONCE
