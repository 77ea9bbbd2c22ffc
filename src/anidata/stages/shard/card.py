"""The files beside the tars, for people and loaders.

The card, with YAML configs for the Hub, the shard index, and Croissant metadata.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from importlib.metadata import version
from typing import TypedDict

import anidata
from anidata import recipe, registry
from anidata.catalog import schemas
from anidata.lineart import postprocess, selection
from anidata.recipe import Document
from anidata.stages.extract_lineart import drawing
from anidata.stages.shard import configs, samples
from anidata.stages.shard import croissant as croissant_file
from anidata.stages.shard.card_text import (
    CARD,
    FORMS,
    INEXACT,
    INTRO,
    OPT_OUT,
    PAGES,
    READING,
    READING_APART,
    UNPAIRED,
)
from anidata.stages.shard.markers import Marker, group_of

# their versions can change bytes
MADE_BY = ("numpy", "opencv-python-headless", "pillow", "pyarrow", "scipy")
POLARITIES = {
    "black_on_white": "black ink (0) on white paper (255)",
    "white_on_black": "white ink (255) on black paper (0)",
}
USUAL = ("train", "val", "validation", "test")  # splits, in the order of their use
LICENSES = 50  # rows of the card's table; where licenses are free text there can be one a picture


def versions() -> dict[str, str]:
    """The version of anidata and those of the libraries on which bytes depend."""
    return {"anidata": anidata.__version__} | {name: version(name) for name in MADE_BY}


class IndexedTar(TypedDict):
    """A tar in the shard index."""

    url: str  # relative to the index
    dataset: str  # its split; of an unpaired set CONFIG-SPLIT
    nsamples: int
    filesize: int


class ShardIndex(TypedDict):
    """index/shardindex.json, as `widsindex` of webdataset 0.2 wrote it."""

    __kind__: str
    wids_version: int
    shardlist: list[IndexedTar]


def documents(name: str, packed: list[Marker], resolved: Document) -> dict[str, str]:
    """Path → text of README.md, croissant.json and index/shardindex.json."""
    members = list(_members(resolved["lineart"]))
    columns = samples.metadata_schema()
    croissant = croissant_file.describe(name, packed, members, columns, unpaired=is_unpaired(resolved))
    return {
        "README.md": card(name, packed, resolved),
        "croissant.json": _json(croissant),
        "index/shardindex.json": _json(shard_index(packed)),
    }


def shard_index(packed: list[Marker]) -> ShardIndex:
    """The tars with their sizes and numbers of samples."""
    return {"__kind__": "wids-shard-index-v1", "wids_version": 1, "shardlist": [_indexed(m) for m in packed]}


def _indexed(marker: Marker) -> IndexedTar:
    path = f"data/{marker['name']}.tar"
    return {
        "url": f"../{path}",
        "dataset": group_of(marker["name"]),
        "nsamples": marker["samples"],
        "filesize": marker["files"][path]["bytes"],
    }


def card(name: str, packed: list[Marker], resolved: Document) -> str:
    """The data set's card: splits in YAML (empty ones left out), fields, how to read it, licenses, recipe."""
    counts = _by_group(packed)
    total = sum(counts.values())
    members = _members(resolved["lineart"])
    toml = recipe.dump(resolved).strip()
    unpaired = is_unpaired(resolved)
    intro, reading = (UNPAIRED, READING_APART) if unpaired else (INTRO, READING)
    return CARD.format(
        configs=_configs(counts),
        intro=intro.format(total=f"{total:,}", version=anidata.__version__),
        reading=reading.format(first=_first(counts), color=next(iter(members))),
        each=" of a config" if unpaired else "",
        thing="picture" if unpaired else "pair",
        size=next((word for limit, word in SIZES if total < limit), "n>1T"),
        name=_plain(name),
        splits=_splits(packed, counts),
        members=_table((f"`KEY.{suffix}`", text) for suffix, text in members.items()),
        speck=postprocess.SPECK,
        measures=_measures(),
        licenses=_licenses(packed),
        opt_out=OPT_OUT if resolved["ingest"]["fetch"]["ignore_opt_out"] else "",
        fence=_fence(toml),
        recipe=toml,
        inexact=_inexact(resolved["lineart"]),
    )


def is_unpaired(resolved: Document) -> bool:
    """Whether a recipe's data set has no pairs."""
    return bool(resolved["shard"].get("unpaired"))


def _first(counts: dict[str, int]) -> str:
    """The split to read in the examples: the first that all configs have, else the first of one."""
    splits = Counter(configs.split_of(group) for group in counts)
    return max(splits, key=lambda split: splits[split], default="train")


def _splits(packed: list[Marker], counts: dict[str, int]) -> str:
    """The splits, of each config where there are some, with their samples and tars."""
    tars = Counter(group_of(marker["name"]) for marker in packed)
    words = {group: " ".join(group.split("-")) for group in counts}
    return _table((words[group], f"{count:,}", str(tars[group])) for group, count in counts.items())


def _measures() -> str:
    """The measures with their titles."""
    titles = {name: registry.title(registry.load("measures", name)) for name in schemas.measures()}
    return _table((f"`{name}`", title.replace("|", "\\|")) for name, title in titles.items())


def _fence(text: str) -> str:
    """A fence of Markdown longer than any run of backticks in a text."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    return "`" * max(3, 1 + longest)


def _members(lineart: Document) -> dict[str, str]:
    """Ending of a picture's name behind the key → the picture in words; color first."""
    suffix = drawing.SUFFIX[lineart["color"]]
    first, *others = lineart["styles"]
    page = PAGES[lineart["fit"]].format(size=lineart["size"])
    form = FORMS[suffix].format(quality=lineart["quality"])
    polarity = POLARITIES[lineart["finish"]["polarity"]]
    lines = f"its lineart in {_style(first, lineart)}: {polarity}, 8-bit gray, of the same size"
    members = {
        f"color.{suffix}": f"the color picture: sRGB, transparency on white, {page}; {form}",
        "lineart.png": lines,
    }
    return members | {f"lineart.{style}.png": f"the same in {_style(style, lineart)}" for style in others}


def _style(name: str, lineart: Document) -> str:
    """A style in words; of `mix` with those that it draws from."""
    if name != selection.MIX:
        return f"the style `{name}`"
    mixed = (f"`{style}`" for style, weight in sorted(lineart["mix"].items()) if weight > 0)
    return f"one of the styles {', '.join(mixed)}"


def _inexact(lineart: Document) -> str:
    """What is said of styles whose last bits depend on the processor, if there are such."""
    styles = selection.inexact(lineart["styles"], lineart["mix"])
    named = ", ".join(f"`{name}`" for name in styles)
    return INEXACT.format(styles=named) if styles else ""


def _configs(counts: dict[str, int]) -> str:
    """The YAML that tells loaders which tars make a split. Quoted: a split named `on` is no boolean."""
    files: dict[str, str] = defaultdict(str)
    for group in counts:
        split = configs.split_of(group)
        files[configs.config_of(group)] += f'  - split: "{split}"\n    path: "data/{group}-*.tar"\n'
    named = (f"- config_name: {name or 'default'}\n  data_files:\n{text}" for name, text in files.items())
    return "configs:\n" + "".join(named) if counts else ""


def _licenses(packed: list[Marker]) -> str:
    """The licenses with their samples, the most frequent first; those beyond LICENSES in one row."""
    counts: Counter[str] = sum((Counter(marker["licenses"]) for marker in packed), Counter())
    ranked = sorted(counts.items(), key=lambda license_count: (-license_count[1], license_count[0]))
    rows = [(_plain(text) or "not stated", f"{count:,}") for text, count in ranked[:LICENSES]]
    others = ranked[LICENSES:]
    if others:
        rows.append((f"{len(others):,} others", f"{sum(count for _, count in others):,}"))
    return _table(rows)


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _plain(text: str) -> str:
    """A text of unknown origin on one line of Markdown, where it means nothing but itself."""
    visible = "".join(c if c.isprintable() else " " * c.isspace() for c in text)
    return re.sub(r"[\\`*_~\[\]<>|&#]", lambda mark: f"&#{ord(mark[0])};", " ".join(visible.split()))


def _by_group(packed: list[Marker]) -> dict[str, int]:
    """Group → samples: by config, in it the usual splits in their order, then others by name."""
    counts: Counter[str] = Counter()
    for marker in packed:
        counts[group_of(marker["name"])] += marker["samples"]
    return {group: counts[group] for group in sorted(counts, key=_rank)}


def _rank(group: str) -> tuple[str, int, str]:
    split = configs.split_of(group)
    usual = USUAL.index(split) if split in USUAL else len(USUAL)
    return configs.config_of(group), usual, split


def _json(document: object) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


SIZES = [
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
]
