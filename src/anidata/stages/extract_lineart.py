"""Extract lineart: the kept pictures, decoded once more, fitted, and drawn in one or more styles.

WORK/pairs is a store: a part is a tar of encoded files and a table of where each lies, with the fingerprint of all that it depends on.
What is there with the right fingerprint is never made again; so a new style draws lines only, and a picture that comes back costs nothing.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

from anidata import canvas, catalog, image, parts, recipe, storage
from anidata.engine import Engine
from anidata.errors import RecipeError
from anidata.recipe import Positive, Share
from anidata.stages import _listing, ingest
from anidata.stages._drawing import ARTIST, Failures, Frame, Part, draw_part
from anidata.stages._reading import Reader
from anidata.workspace import Workspace

VERSION = 1


@dataclass(frozen=True)
class Config:
    """Fit, draw and encode the pairs."""

    styles: tuple[str, ...] = (
        "xdog",
    )  # the first is KEY.lineart.png, the others KEY.lineart.STYLE.png; `artist`: true lineart, where there is any
    size: Positive = 512  # px of a side; of the square root of the area in `bucket`
    fit: canvas.Fit = "pad"  # on white · centered · multi-aspect, sides in steps of 64
    filter: canvas.Filter = "area"  # of the scaling; enlarging by area means bicubic
    color: canvas.Form = "jpeg"  # jpeg 4:4:4 · webp and png lossless
    quality: Positive = 95  # of the jpeg
    min_ink: Share = 0.001  # share of ink in the first style; less is `no_ink`
    max_ink: Share = 0.6  # more is `blot`
    part_size: Positive = 64  # pictures drawn in one part
    style: dict[str, dict[str, Any]] = field(default_factory=dict)  # parameters of a style: [lineart.style.xdog]

    def __post_init__(self) -> None:
        if not self.styles or len(set(self.styles)) < len(self.styles):
            raise RecipeError(f"[lineart] styles: {list(self.styles)}: name at least one style, and none twice.")
        for name in {*self.styles, *self.style} - {ARTIST}:
            style_config(name, self)


def run(workspace: Workspace, config: Config, reading: ingest.Config, engine: Engine) -> Counter[str]:
    """Draw what is kept and not yet drawn so, then decide which pictures have a whole pair.

    `reading`: the limits under which pictures were opened hold again.
    """
    if is_current(workspace, config):
        return Counter()
    counts: Counter[str] = Counter()
    failures: Failures = {}
    with catalog.Catalog(workspace) as views:
        total = views.select(f"SELECT count(*) AS n FROM ({_missing(config)})").column("n")[0].as_py()
        plan = _plan(views, _like(workspace, config, reading), _missing(config), config.part_size)
        label = "extract-lineart" if total else ""
        for _, (result, failed) in engine.map(draw_part, plan, limits=ingest.limits(reading), label=label, total=total):
            counts += result
            failures |= failed
    _sweep(workspace, config)
    _decide(workspace, config, failures)
    return counts


def style_config(name: str, config: Config) -> Any:
    """The parameters of a style, as the recipe sets them."""
    module = parts.load("lineart", name)
    return recipe.build(module.Config, config.style.get(name, {}), f"[lineart.style.{name}]")


def fingerprints(config: Config) -> dict[str, str]:
    """What each stored file depends on besides its picture: `color`, and each style."""
    fitted = [VERSION, image.VERSION, config.size, config.fit, config.filter]
    found = {catalog.COLOR: recipe.fingerprint(fitted, config.color, config.quality if config.color == "jpeg" else 0)}
    for name in config.styles:
        drawn = [name] if name == ARTIST else [name, parts.load("lineart", name).VERSION, style_config(name, config)]
        found[name] = recipe.fingerprint(fitted, drawn)
    return found


def state(workspace: Workspace, config: Config) -> str:
    """Changes with anything that the decisions depend on."""
    folder = workspace.folder
    decided = [folder("decisions") / f"{n}.parquet" for n in ("clean", "dedup")]
    seen = catalog.state_of(folder("images"), folder("records"), folder("pairs"), *decided)
    return recipe.fingerprint(seen, fingerprints(config), config.min_ink, config.max_ink)


def is_current(workspace: Workspace, config: Config) -> bool:
    found = catalog.made_from(_path(workspace))
    return found.get("state") == state(workspace, config) and not found.get("retry")


def _like(workspace: Workspace, config: Config, reading: ingest.Config) -> Part:
    """A part without pictures."""
    frame = Frame(config.size, config.fit, config.filter, config.color, config.quality)
    styles = {name: style_config(name, config) for name in config.styles if name != ARTIST}
    return Part("", [], frame, styles, fingerprints(config), Reader(workspace, reading.max_bytes, reading.max_pixels))


def _missing(config: Config) -> str:
    """SQL: each kept picture with the files that it lacks."""
    lacking = ", ".join(f"CASE WHEN {_lacks(name, print_)} THEN '{name}' END" for name, print_ in fingerprints(config).items())
    return f"""SELECT key, wanted, width, height, line_key FROM
        (SELECT i.*, list_filter([{lacking}], lambda name: name IS NOT NULL) AS wanted FROM _kept i) WHERE len(wanted) > 0"""


def _lacks(style: str, fingerprint: str) -> str:
    """SQL: whether a picture i lacks its file in a style. The artist's has the lines' own key in its fingerprint."""
    stored = f"FROM _pairs WHERE style = '{style}'"
    if style == ARTIST:
        return f"i.line_key IS NOT NULL AND i.key || '{fingerprint}' || i.line_key NOT IN (SELECT key || fingerprint {stored})"
    return f"i.key NOT IN (SELECT key {stored} AND fingerprint = '{fingerprint}')"


def _plan(views: catalog.Catalog, like: Part, missing: str, size: int) -> Iterator[Part]:
    """What is missing as parts, in the order in which the bytes lie."""
    sql = f"""SELECT m.*, places, list_filter(lines, lambda place: place.line = m.line_key) AS lines
        FROM ({missing}) m JOIN _places USING (key) ORDER BY uri, "offset", key"""
    taken = {p.stem for p in catalog.files(like.reader.workspace.folder("pairs"))}
    free = (name for n in count() if (name := f"part-{n:05d}") not in taken)
    for pictures in _listing.ramped(chain.from_iterable(views.stream(sql, size)), size):
        yield replace(like, name=next(free), pictures=pictures)


def _decide(workspace: Workspace, config: Config, failures: Failures) -> None:
    """Say why a kept picture has no whole pair: it couldn't be read again, has no true lines, or none worth the name."""
    first, prints = config.styles[0], fingerprints(config)
    inked = f"SELECT key FROM _kept JOIN _pairs p USING (key) WHERE style = '{first}' AND starts_with(fingerprint, '{prints[first]}')"
    with catalog.Catalog(workspace) as views:
        reasons = dict.fromkeys(views.keys(f"{inked} AND ink < {config.min_ink}"), "no_ink")
        reasons |= dict.fromkeys(views.keys(f"{inked} AND ink > {config.max_ink}"), "blot")
        if ARTIST in config.styles:
            reasons |= dict.fromkeys(views.keys("SELECT key FROM _kept WHERE line_key IS NULL"), "no_line")
        lacking = views.keys(f"SELECT key FROM ({_missing(config)})")
    reasons |= {key: failures.get(key, ("missing", ""))[0] for key in lacking}
    rows = [{"key": k, "reasons": [reasons[k]], "message": failures[k][1] if k in failures else None} for k in sorted(reasons)]
    made = {"state": state(workspace, config), "retry": len(lacking)}
    catalog.write(_path(workspace), catalog.table(rows, catalog.LINEART), made)


def _sweep(workspace: Workspace, config: Config) -> None:
    """Delete parts of the store in which nothing has a fingerprint of today, and tars whose worker died before it wrote down what is in them."""
    current = tuple(fingerprints(config).values())
    for path in catalog.files(workspace.folder("pairs")):
        found = catalog.read(path, catalog.PAIRS).column("fingerprint").to_pylist()
        if not any(print_.startswith(current) for print_ in found):
            storage.delete(path)
    for tar in workspace.folder("pairs").glob("*.tar"):
        if not tar.with_suffix(".parquet").exists():
            storage.delete(tar)


def _path(workspace: Workspace) -> Path:
    return workspace.folder("decisions") / "lineart.parquet"
