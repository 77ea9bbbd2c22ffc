"""What stands beside the tars for people and loaders: the card with YAML configs for the Hub, the shard index, and Croissant metadata."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import anidata
from anidata import recipe, registry
from anidata.catalog import schemas
from anidata.lineart import postprocess, selection
from anidata.stages.extract_lineart import drawing
from anidata.stages.shard import croissant as croissant_file
from anidata.stages.shard import packing

Row = dict[str, Any]
MADE_BY = ("numpy", "opencv-python-headless", "pillow", "pyarrow", "scipy")  # their versions can change bytes
POLARITIES = {
    "black_on_white": "black ink (0) on white paper (255)",
    "white_on_black": "white ink (255) on black paper (0)",
}
LICENSES = 50  # rows of the card's table; where licenses are free text there can be one a picture


def versions() -> dict[str, str]:
    """The version of anidata and those of the libraries on which bytes depend."""
    return {"anidata": anidata.__version__} | {name: version(name) for name in MADE_BY}


def documents(name: str, packed: list[Row], resolved: Row) -> dict[str, str]:
    """Path → text of README.md, croissant.json and index/shardindex.json."""
    croissant = croissant_file.describe(
        name, packed, [*_members(resolved["lineart"])], packing.metadata_schema()
    )
    return {
        "README.md": card(name, packed, resolved),
        "croissant.json": _json(croissant),
        "index/shardindex.json": _json(shard_index(packed)),
    }


def shard_index(packed: list[Row]) -> Row:
    """The tars with their sizes and numbers of samples, as `widsindex` of webdataset 0.2 wrote them; a url is relative to the index."""
    tars = [
        {
            "url": f"../data/{p['name']}.tar",
            "dataset": p["split"],
            "nsamples": p["samples"],
            "filesize": _tar_size(p),
        }
        for p in packed
    ]
    return {"__kind__": "wids-shard-index-v1", "wids_version": 1, "shardlist": tars}


def card(name: str, packed: list[Row], resolved: Row) -> str:
    """The data set's card: splits in YAML (empty ones left out), fields, how to read it, licenses, recipe."""
    counts = _by_split(packed)
    members = _members(resolved["lineart"])
    toml = recipe.dump(resolved).strip()
    return CARD.format(
        configs=_configs(counts),
        size=next((word for limit, word in SIZES if sum(counts.values()) < limit), "n>1T"),
        name=_plain(name),
        total=f"{sum(counts.values()):,}",
        splits=_table(
            (split, f"{n:,}", str(sum(p["split"] == split for p in packed))) for split, n in counts.items()
        ),
        members=_table((f"`KEY.{suffix}`", what) for suffix, what in members.items()),
        first=next(iter(counts), "train"),
        color=next(iter(members)),
        speck=postprocess.SPECK,
        measures=_table(
            (f"`{n}`", registry.title(registry.load("measures", n)).replace("|", "\\|"))
            for n in schemas.measures()
        ),
        licenses=_licenses(packed),
        opt_out=OPT_OUT if resolved["ingest"]["fetch"]["ignore_opt_out"] else "",
        fence="`" * max(3, 1 + max(map(len, re.findall("`+", toml)), default=0)),
        recipe=toml,
        version=anidata.__version__,
    )


def _members(lineart: Row) -> dict[str, str]:
    """What follows the key in the names of a sample's pictures → what it is, color first."""
    suffix = drawing.SUFFIX[lineart["color"]]
    first, *others = lineart["styles"]
    page = PAGES[lineart["fit"]].format(size=lineart["size"])
    form = {"jpg": f"JPEG 4:4:4 of quality {lineart['quality']}", "png": "PNG", "webp": "lossless WebP"}[
        suffix
    ]
    found = {f"color.{suffix}": f"the color picture: sRGB, transparency on white, {page}; {form}"}
    polarity = POLARITIES[lineart["finish"]["polarity"]]
    found["lineart.png"] = (
        f"its lineart in {_style(first, lineart)}: {polarity}, 8-bit gray, of the same size"
    )
    return found | {f"lineart.{style}.png": f"the same in {_style(style, lineart)}" for style in others}


def _style(name: str, lineart: Row) -> str:
    """A style in words; of `mix` with those that it draws from."""
    if name != selection.MIX:
        return f"the style `{name}`"
    return f"one of the styles {', '.join(f'`{n}`' for n, weight in sorted(lineart['mix'].items()) if weight > 0)}"


def _configs(counts: dict[str, int]) -> str:
    """The YAML that tells loaders which tars make a split. Quoted: a split named `on` is no boolean."""
    if not counts:
        return ""
    files = "".join(f'  - split: "{split}"\n    path: "data/{split}-*.tar"\n' for split in counts)
    return f"configs:\n- config_name: default\n  data_files:\n{files}"


def _licenses(packed: list[Row]) -> str:
    counts: Counter[str] = sum((Counter(p["licenses"]) for p in packed), Counter())
    ranked = sorted(counts.items(), key=lambda found: (-found[1], found[0]))
    rows = [(_plain(text) or "not stated", f"{n:,}") for text, n in ranked[:LICENSES]]
    if rest := ranked[LICENSES:]:
        rows.append((f"{len(rest):,} others", f"{sum(n for _, n in rest):,}"))
    return _table(rows)


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _plain(text: str) -> str:
    """A text of unknown origin on one line of Markdown, where it means nothing but itself."""
    visible = "".join(c if c.isprintable() else " " * c.isspace() for c in text)
    return re.sub(r"[\\`*_~\[\]<>|&#]", lambda found: f"&#{ord(found[0])};", " ".join(visible.split()))


def _by_split(packed: list[Row]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for shard in packed:
        counts[shard["split"]] += shard["samples"]
    order = [s for s in ("train", "val", "validation", "test") if s in counts]
    return {s: counts[s] for s in [*order, *sorted(counts.keys() - set(order))]}


def _tar_size(shard: Row) -> int:
    return int(shard["files"][f"data/{shard['name']}.tar"]["bytes"])


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


SIZES = [
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
]
PAGES = {
    "pad": "fitted into {size} × {size} px on white",
    "crop": "the central square at {size} × {size} px",
    "bucket": "pages of about {size}² px in several shapes, sides in steps of 64 px",
}

OPT_OUT = """
Pictures were fetched by URL with `ignore_opt_out`: those too whose hosts forbid it by robots.txt, `noai`, a TDM reservation or Content-Usage.
"""

CARD = """---
{configs}license: other
size_categories:
- {size}
task_categories:
- image-to-image
tags:
- anime
- colorization
- lineart
- webdataset
---
# {name}

{total} pairs of lineart and color, made by anidata {version}. Near-duplicates are grouped, and no group is cut by a split.

| split | samples | tars |
|---|--:|--:|
{splits}

## Reading it

With [webdataset](https://github.com/webdataset/webdataset), in the data set's folder:

```python
from glob import glob

import webdataset as wds

tars = sorted(glob("data/{first}-*.tar"))
pairs = wds.WebDataset(tars, shardshuffle=False, empty_check=False)  # empty_check: there may be more workers than tars
for lineart, color, about in pairs.decode("pil").to_tuple("lineart.png", "{color}", "json"):
    lineart = lineart.convert("L")  # webdataset decodes all pictures as RGB; the file is gray
    print(about["key"], lineart.mode, color.mode, color.size)
```

With [datasets](https://huggingface.co/docs/datasets), which takes the folder's path or the name of a repository on the Hub:

```python
from pathlib import Path

from datasets import load_dataset

pairs = load_dataset(str(Path.cwd()), split="{first}", streaming=True)
for pair in pairs:
    lineart, color, about = pair["lineart.png"], pair["{color}"], pair["json"]
```

## What is in it

Every sample has the same files, one after the other in its tar; `KEY` is the first 24 hex digits of the SHA-256 of the original file.

| file | what |
|---|---|
{members}
| `KEY.json` | what is known of the pair |

The JSON has the same fields in every sample. A text is empty where nothing is known.

| field | what |
|---|---|
| `key`, `file`, `format`, `source_width`, `source_height` | the original: its key, name, format, and size in px |
| `width`, `height` | of the pair, in px |
| `style`, `polarity` | of `lineart.png`: the style that it was drawn in, and `black_on_white` or `white_on_black` |
| `ink`, `stroke_width`, `components`, `specks` | of `lineart.png`: the share of ink, 0 to 1; px, the median; connected pieces of ink; those under {speck} px |
| `url`, `artist`, `license`, `rating`, `caption` | as the sources state them; the strictest license and rating where they differ |
| `tags` | parted by `, `; a comma within a tag is written as a space |

`metadata/` has a Parquet row for each sample, with `tags` as a list, `split`, `cluster` (the group of near-duplicates, by its smallest key), `phash`, and these measures of the original:

| column | what |
|---|---|
{measures}

`index/` tells where in the tars the files lie (`*.idx` for DALI, `shardindex.json` for wids); `croissant.json` describes it all to machines;
`manifest.json` has the SHA-256 of every file.

## Rights

Each picture keeps its own license. License, artist and url of each stand in its JSON and in `metadata/`.

| license, as the sources state it | samples |
|---|--:|
{licenses}
{opt_out}
## Recipe

{fence}toml
{recipe}
{fence}
"""
