"""What stands beside the tars for people and loaders: the card with YAML configs for the Hub, the shard index, and Croissant metadata."""

import json
from collections import Counter
from importlib.metadata import version
from typing import Any

import anidata
from anidata import recipe

Row = dict[str, Any]
MADE_BY = ("numpy", "opencv-python-headless", "pillow", "pyarrow", "scipy")  # their versions can change bytes


def versions() -> dict[str, str]:
    """The version of anidata and those of the libraries on which bytes depend."""
    return {"anidata": anidata.__version__} | {name: version(name) for name in MADE_BY}


def documents(name: str, packed: list[Row], resolved: Row) -> dict[str, str]:
    """Path → text of README.md, croissant.json and index/shardindex.json."""
    return {
        "README.md": card(name, packed, resolved),
        "croissant.json": _json(croissant(name, packed, resolved)),
        "index/shardindex.json": _json(shard_index(packed)),
    }


def card(name: str, packed: list[Row], resolved: Row) -> str:
    """The data set's card: splits in YAML (empty ones left out), fields, how to read it, licenses, recipe."""
    counts = _by_split(packed)
    configs = "\n".join(f"  - split: {split}\n    path: data/{split}-*.tar" for split in counts)
    licenses: Counter[str] = sum((Counter(p["licenses"]) for p in packed), Counter())
    return CARD.format(
        configs=configs,
        size=next((word for limit, word in SIZES if sum(counts.values()) < limit), "n>1T"),
        name=name,
        splits="\n".join(f"| {split} | {n:,} | {sum(p['split'] == split for p in packed)} |" for split, n in counts.items()),
        styles=", ".join(f"`{s}`" for s in resolved["lineart"]["styles"]),
        first=resolved["lineart"]["styles"][0],
        licenses="\n".join(f"| {_cell(text) or 'not stated'} | {n:,} |" for text, n in sorted(licenses.items())),
        tars=_brace([p["name"] for p in packed if p["split"] == next(iter(counts), "")]),
        suffix={"jpeg": "jpg"}.get(resolved["lineart"]["color"], resolved["lineart"]["color"]),
        recipe=recipe.dump(resolved).strip(),
        version=anidata.__version__,
    )


def shard_index(packed: list[Row]) -> Row:
    """The tars with their sizes and numbers of samples, in the form of webdataset's wids index."""
    tars = [
        {"url": f"../data/{p['name']}.tar", "dataset": p["split"], "nsamples": p["samples"], "filesize": _tar(p)["bytes"]} for p in packed
    ]
    return {"__kind__": "wids-shard-index-v1", "wids_version": 1, "shardlist": tars}


def croissant(name: str, packed: list[Row], resolved: Row) -> Row:
    """Croissant 1.0: the tars, and the fields of a sample's JSON and metadata row."""
    files = [_file_object(path, entry) for p in packed for path, entry in p["files"].items() if not path.endswith(".idx")]
    tables = {"@type": "cr:FileSet", "@id": "metadata", "encodingFormat": "application/x-parquet", "includes": "metadata/*.parquet"}
    fields = [_field(n, kind) for n, kind in FIELDS.items()]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": f"(lineart, color) pairs in WebDataset tars; lineart styles: {', '.join(resolved['lineart']['styles'])}.",
        "license": sorted({text or "not stated" for p in packed for text in p["licenses"]}),
        "version": "1.0.0",
        "distribution": [*files, tables],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "samples", "description": "A row for each sample.", "field": fields}],
    }


def _file_object(path: str, entry: Row) -> Row:
    form = "application/x-tar" if path.endswith(".tar") else "application/x-parquet"
    place = {"name": path.rsplit("/", 1)[-1], "contentUrl": path, "contentSize": f"{entry['bytes']} B"}
    return {"@type": "cr:FileObject", "@id": path, "encodingFormat": form, "sha256": entry["sha256"]} | place


def _field(name: str, kind: str) -> Row:
    source = {"fileSet": {"@id": "metadata"}, "extract": {"column": name}}
    return {"@type": "cr:Field", "@id": f"samples/{name}", "description": name, "dataType": kind, "source": source}


def _by_split(packed: list[Row]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for shard in packed:
        counts[shard["split"]] += shard["samples"]
    order = [s for s in ("train", "val", "validation", "test") if s in counts]
    return {s: counts[s] for s in [*order, *sorted(counts.keys() - set(order))]}


def _tar(shard: Row) -> Row:
    found: Row = shard["files"][f"data/{shard['name']}.tar"]
    return found


def _brace(names: list[str]) -> str:
    """One pattern for tars that are numbered without a gap, in the braces that webdataset expands."""
    if len(names) < 2:
        return names[0] if names else "train-00000-of-00001"
    first, last = min(names), max(names)
    split, start, of, total = first.rsplit("-", 3)
    return f"{split}-{{{start}..{last.rsplit('-', 3)[1]}}}-{of}-{total}"


def _cell(text: str) -> str:
    """A word of unknown origin as a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


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
FIELDS = dict.fromkeys(("key", "file", "url", "license", "artist", "rating", "caption", "split", "cluster"), "sc:Text")
FIELDS |= dict.fromkeys(("width", "height", "fitted_width", "fitted_height"), "sc:Integer") | {"ink": "sc:Float"}
CONTEXT = {
    "@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/", "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/", "dct": "http://purl.org/dc/terms/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract", "field": "cr:field", "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject", "fileSet": "cr:fileSet", "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath", "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace", "separator": "cr:separator",
    "source": "cr:source", "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip

CARD = """---
configs:
- config_name: default
  data_files:
{configs}
license: other
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

Pairs of lineart and color, made by anidata {version}. No cluster of near-duplicates is cut by a split.

| split | samples | tars |
|---|---|---|
{splits}

Every sample has the same files:

| file | what |
|---|---|
| `KEY.color.*` | the color picture, sRGB, alpha on white |
| `KEY.lineart.png` | its lineart in the first of the styles {styles}: black ink (0) on white paper (255), 8-bit gray; `KEY.lineart.STYLE.png` in each further one |
| `KEY.json` | sizes, style, ink share, url, license, artist, rating, tags, caption; a text is empty where nothing is known |

`metadata/` has a row for each sample with its measures; `manifest.json` the SHA-256 of every file.

```python
import webdataset

pairs = webdataset.WebDataset("data/{tars}.tar", shardshuffle=False).decode("rgb8")
for pair in pairs:
    lineart, color, about = pair["lineart.png"], pair["color.{suffix}"], pair["json"]
```

## Rights

Each picture keeps its own license; artist, license and url of each stand in its JSON and in `metadata/`.

| license as stated by the sources | samples |
|---|---|
{licenses}

## Recipe

```toml
{recipe}
```
"""
