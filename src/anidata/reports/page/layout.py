"""The page's HTML: numbers as words, and the template, which escapes whatever it is given."""

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

import anidata
from anidata import storage
from anidata.reports import templates
from anidata.reports.funnel import Funnel
from anidata.reports.page import histograms
from anidata.reports.page.choice import Choice, File, by_size
from anidata.reports.page.heat import HOTTEST
from anidata.reports.page.histograms import Histogram
from anidata.reports.page.thumbnails import Opened, Thumbnail
from anidata.stages.dedup import binding, codes

FOLDER = Path(__file__).parent
LONGEST = 200  # characters of a text from elsewhere: what is longer loses its middle
LEAST_BAR = 1.2  # % of the height of the highest bar: one picture among thousands is seen


@dataclass(frozen=True)
class Written:
    """The page that `anidata report` made."""

    path: Path
    bytes: int
    funnel: Funnel
    shown: dict[str, int]  # what → how many of it are on the page

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "bytes": self.bytes,
            "funnel": self.funnel.to_json(),
            "counts": self.shown,
        }

    def __str__(self) -> str:
        unreadable = self.shown["unreadable"]
        gone = f" · {unreadable:,} of them can't be read any more" if unreadable else ""
        return f"{self.path}  {size(self.bytes)}, {self.shown['pictures']:,} pictures{gone}"


@dataclass(frozen=True)
class Step:
    """A row of the funnel: what is left, and what fell out before it."""

    name: str
    count: int
    lost: int
    why: str  # what became of the lost
    causes: list[tuple[str, int]]  # of the lost, or kinds of what is left


@dataclass(frozen=True)
class Bar:
    """Of a histogram."""

    position: int  # from the left, in bars
    height: float  # % of the chart's, by the square root of the count
    broken: float  # of the height, from below, what breaks a rule
    title: str


def write(path: Path, chosen: Choice, opened: Opened) -> Written:
    """Publish the page."""
    template = environment().get_template("page.html")
    with storage.publishing(path) as file:
        for text in template.generate(
            c=chosen,
            opened=opened,
            steps=steps(chosen.funnel),
            sentence=sentence(chosen.funnel),
            hottest=HOTTEST,
            largest_bound=binding.MOST,
            version=anidata.__version__,
        ):
            file.write(text.encode())
        size = file.tell()
    return Written(path, size, chosen.funnel, _shown(chosen, opened))


def steps(funnel: Funnel) -> list[Step]:
    """The rows of the funnel, from what was found to what a data set holds."""
    repeated, failed = funnel.repeated, sum(funnel.failed.values())
    rejected, copies = sum(funnel.rejected.values()), sum(funnel.duplicates.values())
    nothing: dict[str, int] = {}
    losses = [
        ("found", 0, "", nothing),
        ("different files", repeated, "seen before, same bytes", nothing),
        ("readable", failed, "failed", funnel.failed),
        ("kept by clean", rejected, "rejected", funnel.rejected),
        ("kept by dedup", copies, "copy" if copies == 1 else "copies", funnel.duplicates),
    ]
    left, drawn = funnel.found, []
    for name, lost, why, causes in losses:
        left -= lost
        drawn.append(Step(name, left, lost, why, by_size(causes)))
    samples = Step("samples", sum(funnel.samples.values()), 0, "", by_size(funnel.samples))
    return [*drawn, Step("pairs", funnel.pairs, 0, "", []), samples]


def sentence(funnel: Funnel) -> str:
    """The fate of the others, and of the kept, in words; nothing is said of nothing."""
    samples = sum(funnel.samples.values())
    copies = sum(funnel.duplicates.values())
    out = {
        "had been seen before": funnel.repeated,
        "could not be read": sum(funnel.failed.values()),
        "fell short of a threshold": sum(funnel.rejected.values()),
        "is a copy of a better one" if copies == 1 else "are copies of a better one": copies,
    }
    fates = [f"{n:,} {fate}" for fate, n in out.items() if n]
    results = {"pairs of lineart and color were drawn": funnel.pairs, "samples packed": samples}
    made = [f"{n:,} {result}" for result, n in results.items() if n]
    return " ".join(f"{', '.join(clauses)}." for clauses in (fates, made) if clauses) or "Nothing fell out."


def bars(histogram: Histogram) -> Iterator[Bar]:
    highest = max(1, *(b.count for b in histogram.bins))
    for position, b in enumerate(histogram.bins):
        title = f"{number(b.low)} to {number(b.low + histogram.step)}: {count(b.count, 'picture')}"
        height = max(LEAST_BAR, 100 * math.sqrt(b.count / highest)) if b.count else 0.0
        yield Bar(position, round(height, 2), round(height * b.broken / max(1, b.count), 2), title)


def at(histogram: Histogram, value: float) -> float:
    """Where a value stands across the chart, %."""
    return round(100 * (value - histogram.low) / (histogram.high - histogram.low), 3)


def number(value: float) -> str:
    """Three digits, or all of a larger whole number's."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}".replace("-", "−")


def count(n: int, noun: str, many: str = "") -> str:
    """'1 picture', '1,200 pictures'."""
    return f"{n:,} {noun if n == 1 else many or noun + 's'}"


def share(n: int, of: int) -> str:
    """'3.1 %'; what is more than nothing is never 0 %."""
    percent = 100 * n / max(1, of)
    if 0 < percent < 0.1:
        return "less than 0.1 %"
    return f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"


def plain(text: object) -> str:
    """A text without what steers a line or its direction, its middle left out where it is very long."""
    whole = "" if text is None else str(text)
    short = whole if len(whole) <= LONGEST else whole[: LONGEST // 2] + "…" + whole[-LONGEST // 2 :]
    return "".join(c if c.isprintable() else "\ufffd" for c in short)


def shape(row: File) -> str:
    """'911 × 709 png, 569 kB'; nothing of a picture that is known no more."""
    if row["width"] is None or row["bytes"] is None:
        return ""
    return f"{row['width']} × {row['height']} {row['format']}, {size(row['bytes'])}"


def data_uri(thumbnail: Thumbnail) -> str:
    return "data:image/webp;base64," + base64.b64encode(thumbnail.data).decode()


def size(n: int) -> str:
    """Bytes, as people say it."""
    if n < 1000:
        return f"{n} B"
    return f"{n / 1000:,.0f} kB" if n < 1_000_000 else f"{n / 1_000_000:,.1f} MB"


def _shown(chosen: Choice, opened: Opened) -> dict[str, int]:
    return {
        "histograms": len(chosen.histograms),
        "rejected": sum(len(reason.shown) for reason in chosen.reasons),
        "failed": sum(map(len, chosen.failed.values())),
        "kept": len(chosen.kept),
        "clusters": len(chosen.clusters),
        "pictures": len(opened.pictures),
        "unreadable": opened.unreadable,
    }


def environment(*folders: Path) -> jinja2.Environment:
    """The environment of this page, or of one in other folders that borrows its style and words."""
    environment = templates.environment(*folders, FOLDER)
    environment.filters |= {
        "number": number,
        "count": count,
        "share": share,
        "plain": plain,
        "uri": data_uri,
        "shape": shape,
        "because": codes.words,
    }
    environment.globals |= {"bars": bars, "at": at, "ticks": histograms.ticks}
    return environment
