"""Extract lineart: the kept pictures, decoded once more, fitted, and drawn in one or more styles.

WORK/pairs is a store: a part is a tar of encoded files and a table of where each lies, with the fingerprint of all that it depends on.
What is there with the right fingerprint is never made again; so a new style draws lines only, and a picture that comes back costs nothing.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa

from anidata import recipe, storage
from anidata.catalog import catalog, gathered, schemas
from anidata.catalog import tables as catalog_tables
from anidata.engine import parts
from anidata.engine.engine import Engine
from anidata.errors import RecipeError
from anidata.imaging import decode, encode
from anidata.imaging import fit as fitting
from anidata.imaging.reopen import Reader
from anidata.lineart import postprocess, selection
from anidata.lineart.postprocess import Finish
from anidata.recipe import Amount, Count, Positive, Share
from anidata.stages.extract_lineart.drawing import Failures, Frame, LinePart, Pens, draw_part, scout
from anidata.stages.ingest import config as ingest
from anidata.workspace import Workspace

VERSION = 2
MIXED = {
    "ink": 4.0,
    "xdog": 2.0,
    "adaptive": 1.0,
    "ridge": 1.0,
}  # the cleanest, so that a model gets used to several hands


@dataclass(frozen=True)
class Config:
    """Fit, draw and encode the pairs."""

    # the first is KEY.lineart.png, the others KEY.lineart.STYLE.png; `artist`: true lineart, where there is any; `mix`: see there
    styles: tuple[str, ...] = ("ink",)
    size: Positive = 512  # px of a side; of the square root of the area in `bucket`
    fit: fitting.Fit = "pad"  # on white · cut square · multi-aspect, sides in steps of 64
    anchor: fitting.Anchor = "center"  # what is cut is cut on both sides alike · where the least ink is lost
    filter: fitting.Filter = "area"  # of the scaling; enlarging by area means bicubic
    color: encode.Form = "jpeg"  # jpeg 4:4:4 · webp and png lossless
    quality: Positive = 95  # of the jpeg
    min_ink: Share = 0.001  # share of ink in the first style, unless it is gray by nature; less is `no_ink`
    max_ink: Share = 0.6  # more is `blot`
    mix: dict[str, Amount] = field(
        default_factory=MIXED.copy
    )  # style → weight; in the style `mix` each picture gets one of them
    jitter: Amount = 0.0  # each number of a style changes by a factor of up to 1 + jitter either way, by the picture's key; 0: not at all
    seed: Count = 0  # of mix and jitter
    finish: Finish = field(default_factory=Finish)  # what becomes of lines once they are drawn
    part_size: Positive = 64  # pictures drawn in one part
    style: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # parameters of a style: [lineart.style.xdog]

    def __post_init__(self) -> None:
        if not self.styles or len(set(self.styles)) < len(self.styles):
            raise RecipeError(
                f"[lineart] styles: {list(self.styles)}: name at least one style, and none twice."
            )
        for name in {*self.styles, *self.style, *self.mix} - {selection.ARTIST, selection.MIX}:
            style_config(name, self)
        if selection.MIX in self.styles and (
            not any(self.mix.values()) or self.mix.keys() & {selection.ARTIST, selection.MIX}
        ):
            raise RecipeError(
                f"[lineart] mix: {self.mix}: give styles of the shelf, at least one with a weight above 0."
            )

    @property
    def drawn(self) -> tuple[str, ...]:
        """The styles of the shelf that are drawn in."""
        mixed = (
            [name for name, weight in self.mix.items() if weight > 0] if selection.MIX in self.styles else []
        )
        return tuple(sorted({*self.styles, *mixed} - {selection.ARTIST, selection.MIX}))


def run(workspace: Workspace, config: Config, reading: ingest.Config, engine: Engine) -> Counter[str]:
    """Draw what is kept and not yet drawn so, then decide which pictures have a whole pair.

    `reading`: the limits under which pictures were opened hold again.
    """
    if is_current(workspace, config):
        return Counter()
    for name in config.drawn:
        selection.check(name, style_config(name, config))
    counts: Counter[str] = Counter()
    failures: Failures = {}
    with catalog.Catalog(workspace) as views:
        keys = views.select(_in_order(config))
        plan = _plan(views, _like(workspace, config, reading), keys, config)
        label = "extract-lineart" if len(keys) else ""
        for _, (result, failed) in engine.map(
            draw_part, plan, limits=ingest.limits(reading), label=label, total=len(keys)
        ):
            counts += result
            failures |= failed
    _sweep(workspace, config)
    gathered.gather(workspace, "pairs")
    _decide(workspace, config, failures)
    return counts


def style_config(name: str, config: Config) -> Any:
    """The parameters of a style, as the recipe sets them."""
    return selection.config_of(name, config.style.get(name, {}), f"[lineart.style.{name}]")


def settled(config: Config) -> Config:
    """The config with what its styles take from outside the recipe pinned in it."""
    tables = {
        n: selection.settled(n, config.style.get(n, {}), f"[lineart.style.{n}]")
        for n in config.drawn
        if n in config.style
    }
    return replace(config, style=config.style | {n: dict(table) for n, table in tables.items()})


def fingerprints(config: Config) -> dict[str, str]:
    """What each stored file depends on besides its picture: `color`, and each style."""
    cut = selection.fingerprint(*scout()) if config.fit != "pad" and config.anchor == "ink" else []
    fitted = [VERSION, decode.VERSION, config.size, config.fit, config.filter, cut]
    found = {
        schemas.COLOR: recipe.fingerprint(
            fitted, config.color, config.quality if config.color == "jpeg" else 0
        )
    }
    for name in config.styles:
        found[name] = recipe.fingerprint(fitted, postprocess.VERSION, _drawn_from(name, config))
    return found


def _drawn_from(name: str, config: Config) -> list[Any]:
    """What lines of a style depend on besides the fitted picture."""
    if name == selection.ARTIST:
        return [name, config.finish.polarity]
    named = {n: w for n, w in config.mix.items() if w > 0} if name == selection.MIX else {name: 1.0}
    drawn = [selection.fingerprint(n, style_config(n, config)) for n in sorted(named)]
    by_chance = [config.seed, config.jitter, named] if name == selection.MIX or config.jitter else []
    return [name, drawn, by_chance, config.finish]


def state(workspace: Workspace, config: Config) -> str:
    """Changes with anything that the decisions depend on."""
    folder = workspace.folder
    decided = [folder("decisions") / f"{n}.parquet" for n in ("clean", "dedup")]
    seen = catalog_tables.state_of(folder("images"), folder("records"), folder("pairs"), *decided)
    return recipe.fingerprint(seen, fingerprints(config), config.min_ink, config.max_ink)


def is_current(workspace: Workspace, config: Config) -> bool:
    found = catalog_tables.made_from(_path(workspace))
    return found.get("state") == state(workspace, config) and not found.get("retry")


def _like(workspace: Workspace, config: Config, reading: ingest.Config) -> LinePart:
    """A part without pictures."""
    frame = Frame(
        size=config.size,
        fit=config.fit,
        filter=config.filter,
        anchor=config.anchor,
        color=config.color,
        quality=config.quality,
    )
    pens = Pens(
        {name: style_config(name, config) for name in config.drawn},
        config.mix,
        config.jitter,
        config.seed,
        config.finish,
    )
    return LinePart(
        name="",
        pictures=[],
        frame=frame,
        pens=pens,
        fingerprints=fingerprints(config),
        reader=Reader(workspace, reading.max_bytes, reading.max_pixels),
    )


def _missing(config: Config) -> str:
    """SQL: each kept picture with the files that it lacks."""
    lacking = ", ".join(
        f"CASE WHEN {_lacks(name, print_)} THEN '{name}' END" for name, print_ in fingerprints(config).items()
    )
    kept = (
        "_kept JOIN (SELECT key, line_key FROM _merged) USING (key)"
        if selection.ARTIST in config.styles
        else "_kept"
    )
    return f"""SELECT key, wanted, width, height FROM
        (SELECT i.*, list_filter([{lacking}], lambda name: name IS NOT NULL) AS wanted FROM (FROM {kept}) i) WHERE len(wanted) > 0"""


def _lacks(style: str, fingerprint: str) -> str:
    """SQL: whether a picture i lacks its file in a style. The artist's has the lines' own key in its fingerprint."""
    stored = f"FROM _pairs WHERE style = '{style}'"
    if style == selection.ARTIST:
        return f"i.line_key IS NOT NULL AND i.key || '{fingerprint}' || i.line_key NOT IN (SELECT key || fingerprint {stored})"
    return f"i.key NOT IN (SELECT key {stored} AND fingerprint = '{fingerprint}')"


def _in_order(config: Config) -> str:
    """SQL: the keys of what is missing, in the order in which the bytes lie."""
    return f"""SELECT key FROM ({_missing(config)}) JOIN (SELECT key, uri, "offset" FROM _places) USING (key) ORDER BY uri, "offset", key"""


def _plan(views: catalog.Catalog, like: LinePart, keys: pa.Table, config: Config) -> Iterator[LinePart]:
    """What is missing as parts. keys: in their order; what else is known of a picture is looked up for a slice of them at a time."""
    sql = f"""SELECT m.*, line_key, places, list_filter(lines, lambda place: place.line = line_key) AS lines
        FROM ({_missing(config)}) m JOIN (SELECT key, line_key FROM _merged SEMI JOIN _slice USING (key)) USING (key)
        JOIN (FROM _places SEMI JOIN _slice USING (key)) USING (key) ORDER BY uri, "offset", key"""
    rows = (
        row
        for few in catalog_tables.slices(keys)
        for some in views.stream(sql, config.part_size, _slice=few)
        for row in some
    )
    taken = {p.stem for p in catalog_tables.files(like.reader.workspace.folder("pairs"))}
    free = (name for n in count() if (name := f"part-{n:05d}") not in taken)
    for pictures in parts.ramped(rows, config.part_size):
        yield replace(like, name=next(free), pictures=pictures)


def _decide(workspace: Workspace, config: Config, failures: Failures) -> None:
    """Say why a kept picture has no whole pair: it couldn't be read again, has no true lines, or none worth the name."""
    first, prints = config.styles[0], fingerprints(config)
    gray = [name for name in config.drawn if selection.is_soft(name) and not config.finish.binarize]
    hard = "".join(f" AND drawn <> '{name}'" for name in gray)  # how much of a gray page is dark says nothing
    inked = f"SELECT key FROM _kept JOIN _pairs p USING (key) WHERE style = '{first}' AND starts_with(fingerprint, '{prints[first]}'){hard}"
    with catalog.Catalog(workspace) as views:
        reasons = dict.fromkeys(views.keys(f"{inked} AND ink < {config.min_ink}"), "no_ink")
        reasons |= dict.fromkeys(views.keys(f"{inked} AND ink > {config.max_ink}"), "blot")
        if selection.ARTIST in config.styles:
            reasons |= dict.fromkeys(
                views.keys("SELECT key FROM _kept JOIN _merged USING (key) WHERE line_key IS NULL"), "no_line"
            )
        lacking = views.keys(f"SELECT key FROM ({_missing(config)})")
    reasons |= {key: failures.get(key, ("missing", ""))[0] for key in lacking}
    rows = [
        {"key": k, "reasons": [reasons[k]], "message": failures[k][1] if k in failures else None}
        for k in sorted(reasons)
    ]
    made = {"state": state(workspace, config), "retry": len(lacking)}
    catalog_tables.write(_path(workspace), catalog_tables.table(rows, schemas.LINEART), made)


def _sweep(workspace: Workspace, config: Config) -> None:
    """Delete parts of the store in which nothing has a fingerprint of today, and tars whose worker died before it wrote down what is in them."""
    current = tuple(fingerprints(config).values())
    for path in catalog_tables.files(workspace.folder("pairs")):
        found = catalog_tables.read(path, schemas.PAIRS).column("fingerprint").to_pylist()
        if not any(print_.startswith(current) for print_ in found):
            storage.delete(path)
    for tar in workspace.folder("pairs").glob("*.tar"):
        if not tar.with_suffix(".parquet").exists():
            storage.delete(tar)


def _path(workspace: Workspace) -> Path:
    return workspace.folder("decisions") / "lineart.parquet"
