"""Extract lineart: the kept pictures, decoded once more, fitted, and drawn in one or more styles.

WORK/pairs is a store: a part is a tar of encoded files and a table of where each lies, with the fingerprint
of all that it depends on. What is there with the right fingerprint is never made again; so a new style draws
lines only, and a picture that comes back costs nothing.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from string import Template
from typing import Any

import pyarrow as pa

from anidata import storage
from anidata.catalog import gathered, schemas, tables
from anidata.catalog.catalog import Catalog
from anidata.catalog.pairs import pair_file
from anidata.engine import parts
from anidata.engine.job import Job
from anidata.imaging.reopen import Reader
from anidata.lineart import selection
from anidata.stages.extract_lineart.config import Config, style_config
from anidata.stages.extract_lineart.decision import BLOT, DECISION, NO_INK, NO_LINE, SCRIBBLE
from anidata.stages.extract_lineart.decision import MISSING as MISSING_AGAIN
from anidata.stages.extract_lineart.drawing import Failures, Frame, LinePart, Pens, draw_part
from anidata.stages.extract_lineart.state import fingerprints, state, tars_state
from anidata.stages.ingest import config as ingest
from anidata.workspace import Workspace

WITH_LINES = "JOIN (SELECT key, line_key FROM _merged) USING (key)"
MISSING = """
SELECT key, wanted, width, height FROM (
    SELECT i.*, list_filter([$lacking], lambda name: name IS NOT NULL) AS wanted
    FROM (FROM _kept_before_extract_lineart $more) i
)
WHERE len(wanted) > 0
"""
# the keys of what is missing, in the order in which the bytes lie
IN_ORDER = """
SELECT key FROM ($missing) JOIN (SELECT key, uri, "offset" FROM _places) USING (key)
ORDER BY uri, "offset", key
"""
KNOWN = """
SELECT m.*, line_key, places, list_filter(lines, lambda location: location.line = line_key) AS lines
FROM ($missing) m JOIN (SELECT key, line_key FROM _merged SEMI JOIN _slice USING (key)) USING (key)
JOIN (FROM _places SEMI JOIN _slice USING (key)) USING (key) ORDER BY uri, "offset", key
"""
INKED = """
SELECT key FROM _kept_before_extract_lineart JOIN _pairs p USING (key)
WHERE style = '$style' AND starts_with(fingerprint, '$fingerprint')$hard
"""
# the limit is fitted to `ink`; of others' good lines up to .8 lies in short pieces
SCRIBBLED = "drawn = 'ink' AND scribble"
WITHOUT_LINES = "SELECT key FROM _kept_before_extract_lineart JOIN _merged USING (key) WHERE line_key IS NULL"


def run(job: Job) -> Counter[str]:
    """Draw what is kept and not yet drawn so, then decide which pictures have a whole pair."""
    workspace, config = job.workspace, job.recipe.lineart
    _check_tars(workspace)
    for name in config.drawn:
        selection.check(name, style_config(name, config))
    counts: Counter[str] = Counter()
    failures: Failures = {}
    with Catalog(workspace) as views:
        keys = views.select(Template(IN_ORDER).substitute(missing=_missing(config)))
        plan = _plan(views, _like(job), keys, config)
        label = "extract-lineart" if len(keys) else ""
        limits = ingest.limits(job.recipe.ingest)
        for _, (result, failed) in job.engine.map(
            draw_part, plan, limits=limits, label=label, total=len(keys)
        ):
            counts += result
            failures |= failed
    _sweep(workspace, config)
    gathered.gather(workspace, "pairs")
    _decide(workspace, config, failures)
    return counts


def _check_tars(workspace: Workspace) -> None:
    """Look at the last file in each tar, if any tar has changed since the last decision.

    Raises: DamagedError: one is missing, cut short, or another's.
    """
    if tables.made_from(DECISION.path(workspace)).get("tars") == tars_state(workspace):
        return
    for path in tables.files(workspace.folder("pairs")):
        stored = tables.read(path, schemas.PAIRS)
        for row in stored.slice(max(0, stored.num_rows - 1)).to_pylist():
            pair_file(workspace, row)


def _like(job: Job) -> LinePart:
    """A part without pictures; the limits under which pictures were opened hold again."""
    config, reading = job.recipe.lineart, job.recipe.ingest
    styles = {name: style_config(name, config) for name in config.drawn}
    return LinePart(
        name="",
        pictures=[],
        frame=Frame(
            size=config.size,
            fit=config.fit,
            filter=config.filter,
            anchor=config.anchor,
            color=config.color,
            quality=config.quality,
        ),
        pens=Pens(styles, config.mix, config.jitter, config.seed, config.finish),
        fingerprints=fingerprints(config),
        reader=Reader(job.workspace, reading.max_bytes, reading.max_pixels),
    )


def _missing(config: Config) -> str:
    """SQL: each kept picture with the files that it lacks."""
    prints = fingerprints(config)
    lacking = [f"CASE WHEN {_lacks(name, print_)} THEN '{name}' END" for name, print_ in prints.items()]
    more = WITH_LINES if selection.ARTIST in config.styles else ""
    return Template(MISSING).substitute(lacking=", ".join(lacking), more=more)


def _lacks(style: str, fingerprint: str) -> str:
    """SQL: whether a picture i lacks its file in a style.

    The artist's has the lines' own key in its fingerprint.
    """
    stored = f"FROM _pairs WHERE style = '{style}'"
    if style == selection.ARTIST:
        drawn = f"i.key || '{fingerprint}' || i.line_key"
        return f"i.line_key IS NOT NULL AND {drawn} NOT IN (SELECT key || fingerprint {stored})"
    return f"i.key NOT IN (SELECT key {stored} AND fingerprint = '{fingerprint}')"


def _plan(views: Catalog, like: LinePart, keys: pa.Table, config: Config) -> Iterator[LinePart]:
    """A part for some of what is missing at a time.

    keys: in the order of their bytes; what else is known of a picture is looked up for a slice at a time.
    """
    sql = Template(KNOWN).substitute(missing=_missing(config))
    taken = {p.stem for p in tables.files(like.reader.workspace.folder("pairs"))}
    free = (name for n in count() if (name := f"part-{n:05d}") not in taken)
    for pictures in parts.ramped(_rows(views, sql, keys, config.part_size), config.part_size):
        yield replace(like, name=next(free), pictures=pictures)


def _rows(views: Catalog, sql: str, keys: pa.Table, size: int) -> Iterator[dict[str, Any]]:
    for few in tables.slices(keys):
        for rows in views.stream(sql, size, _slice=few):
            yield from rows


def _decide(workspace: Workspace, config: Config, failures: Failures) -> None:
    """Say why a kept picture has no whole pair.

    It couldn't be read again, has no true lines, or none worth the name.
    """
    with Catalog(workspace) as views:
        inked = _inked(config)
        reasons = dict.fromkeys(views.keys(f"{inked} AND {SCRIBBLED} > {config.max_scribble}"), SCRIBBLE)
        reasons |= dict.fromkeys(views.keys(f"{inked} AND ink < {config.min_ink}"), NO_INK)
        reasons |= dict.fromkeys(views.keys(f"{inked} AND ink > {config.max_ink}"), BLOT)
        if selection.ARTIST in config.styles:
            reasons |= dict.fromkeys(views.keys(WITHOUT_LINES), NO_LINE)
        lacking = views.keys(f"SELECT key FROM ({_missing(config)})")
    reasons |= {key: failures.get(key, (MISSING_AGAIN, ""))[0] for key in lacking}
    messages = {key: message for key, (_, message) in failures.items()}
    rows = [{"key": key, "reasons": [reasons[key]], "message": messages.get(key)} for key in sorted(reasons)]
    made = {"state": state(workspace, config), "tars": tars_state(workspace), "retry": len(lacking)}
    tables.write(DECISION.path(workspace), tables.table(rows, DECISION.schema), made)


def _inked(config: Config) -> str:
    """SQL: the kept pictures that have lines in the first style; conditions on their ink can be added."""
    first, prints = config.styles[0], fingerprints(config)
    gray = [name for name in config.drawn if selection.is_soft(name) and not config.finish.binarize]
    # how much of a gray page is dark says nothing
    hard = "".join(f" AND drawn <> '{name}'" for name in gray)
    return Template(INKED).substitute(style=first, fingerprint=prints[first], hard=hard)


def _sweep(workspace: Workspace, config: Config) -> None:
    """Delete what is of no use in the store.

    Parts in which nothing is up to date, and tars whose worker died before it wrote down their contents.
    """
    up_to_date = tuple(fingerprints(config).values())
    for path in tables.files(workspace.folder("pairs")):
        prints = tables.read(path, schemas.PAIRS).column("fingerprint").to_pylist()
        if not any(print_.startswith(up_to_date) for print_ in prints):
            storage.delete(path)
    for tar in workspace.folder("pairs").glob("*.tar"):
        if not tar.with_suffix(".parquet").exists():
            storage.delete(tar)
