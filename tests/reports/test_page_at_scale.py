"""Over ten thousand records the page is as small as over a few thousand.

It shows so many of each and counts the rest.
"""

import cv2
import numpy as np
import pytest

from anidata.catalog.catalog import Catalog
from anidata.reports.page import choice, thumbnails
from anidata.workspace import open_workspace
from drawings import drawing, save

RECORDS = 10_000


def fill(folder):
    """Small drawings, most of them kept.

    Copies, mirror images, redrawn ones, gray ones, small ones and broken files are among them.
    """
    for n in range(RECORDS):
        first = n - n % 10
        picture = drawing(first, 64 + first % 47, 64)
        if n % 10 in (1, 2):
            save(folder / f"{n}.jpg", np.ascontiguousarray(picture[:, ::-1]) if n % 10 == 2 else picture)
        elif n % 10 == 3:
            cv2.circle(picture, (32, 32), 8, (255, 0, 0), -1)
            save(folder / f"{n}.png", picture)
        elif n % 50 == 4:
            (folder / f"{n}.png").write_bytes(b"no picture")
        elif n % 50 == 5:
            save(folder / f"{n}.png", np.repeat(picture[..., :1], 3, axis=2))
        else:
            save(folder / f"{n}.png", drawing(n, 56 + n % 47, 64))
    return folder


@pytest.mark.slow
def test_ten_thousand_records_make_a_small_page(tmp_path, command, inline):
    work = tmp_path / "work"
    command("ingest", work, fill(tmp_path / "pile"))
    command("clean", work, "--set", "clean.min_side=60", "--set", "clean.min_sharpness=0.2")
    command("dedup", work)
    report = command("report", work, "--json")
    most = choice.Config()
    assert report["funnel"]["found"] == RECORDS
    assert report["bytes"] < 20_000_000
    assert report["counts"]["clusters"] == most.clusters
    assert report["counts"]["kept"] == most.kept
    assert report["counts"]["rejected"] <= most.each * len(report["funnel"]["rejected"])
    with Catalog(open_workspace(work)) as views:
        clusters = "SELECT count(*) AS n FROM images WHERE cluster = key AND relation <> 'single'"
        assert views.select(clusters).column("n")[0].as_py() > 200


def test_as_many_pictures_as_a_page_can_show_weigh_less_than_20_mb():
    most, reasons = choice.Config(), 20
    # Each member has a keeper and a map.
    pictures = most.each * reasons + most.kept + most.clusters * most.members * 3
    in_base64 = thumbnails.MOST_BYTES * 4 / 3
    assert pictures * in_base64 < 25_000_000  # if all were noise, and every member had a keeper of its own
    assert (pictures - most.clusters * (most.members - 1)) * in_base64 < 20_000_000
