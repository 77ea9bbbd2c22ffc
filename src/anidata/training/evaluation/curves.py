"""How a run's figures went in its training, from its metrics.csv."""

import csv
import io
import math
from collections import defaultdict

from anidata.tar import opening
from anidata.training.run.folder import Run

SHOWN = ("val/", "loss/")  # how the names of figures begin that are shown
POINTS = 200  # of a curve, at most
NAMES = 24  # curves of a run, at most
MOST = 1 << 28  # bytes of a table


def of(run: Run) -> dict[str, list[list[float]]]:
    """By figure: [images, value] as training went on, thinned out evenly; none that can't be read."""
    try:
        text = opening.read_bytes(run.table, MOST).decode(errors="replace")
    except OSError:
        return {}
    curves: dict[str, list[list[float]]] = defaultdict(list)
    for row in csv.reader(io.StringIO(text)):
        if len(row) == 3 and row[1].startswith(SHOWN) and (len(curves) < NAMES or row[1] in curves):
            point = _point(row[0], row[2])
            curves[row[1]] += [point] if point else []
    return {name: points[:: math.ceil(len(points) / POINTS)] for name, points in curves.items() if points}


def _point(images: str, value: str) -> list[float] | None:
    try:
        point = [float(images), float(value)]
    except ValueError:
        return None
    return point if all(map(math.isfinite, point)) else None
