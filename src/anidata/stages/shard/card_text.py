"""The texts of a data set's card."""

FORMS = {"jpg": "JPEG 4:4:4 of quality {quality}", "png": "PNG", "webp": "lossless WebP"}
PAGES = {
    "pad": "fitted into {size} × {size} px on white",
    "crop": "the central square at {size} × {size} px",
    "bucket": "pages of about {size}² px in several shapes, sides in steps of 64 px",
}

OPT_OUT = """
Pictures were fetched by URL with `ignore_opt_out`: those too whose hosts forbid it by robots.txt, `noai`, \
a TDM reservation or Content-Usage.
"""

INTRO = """\
{total} pairs of lineart and color, made by anidata {version}. Near-duplicates are grouped, and no group \
is cut by a split."""

UNPAIRED = """\
{total} pictures to learn from without pairs, made by anidata {version}: the config `color` has color \
pictures, `lineart` has lines of others. Near-duplicates are grouped, no group is cut by a split, and none \
is in both configs: nothing here has its line and its color."""

READING = """\
With [webdataset](https://github.com/webdataset/webdataset), in the data set's folder:

```python
from glob import glob

import webdataset as wds

tars = sorted(glob("data/{first}-*.tar"))
pairs = wds.WebDataset(tars, shardshuffle=False, empty_check=False)  # empty_check: there may be more \
workers than tars
for lineart, color, about in pairs.decode("pil").to_tuple("lineart.png", "{color}", "json"):
    lineart = lineart.convert("L")  # webdataset decodes all pictures as RGB; the file is gray
    print(about["key"], lineart.mode, color.mode, color.size)
```

With [datasets](https://huggingface.co/docs/datasets), which takes the folder's path or the name of a \
repository on the Hub:

```python
from pathlib import Path

from datasets import load_dataset

pairs = load_dataset(str(Path.cwd()), split="{first}", streaming=True)
for pair in pairs:
    lineart, color, about = pair["lineart.png"], pair["{color}"], pair["json"]
```"""

READING_APART = """\
With [webdataset](https://github.com/webdataset/webdataset), in the data set's folder:

```python
from glob import glob

import webdataset as wds

members = {{"color": "{color}", "lineart": "lineart.png"}}
for config, member in members.items():
    tars = sorted(glob(f"data/{{config}}-{first}-*.tar"))
    # empty_check: there may be more workers than tars
    pictures = wds.WebDataset(tars, shardshuffle=False, empty_check=False)
    for picture, about in pictures.decode("pil").to_tuple(member, "json"):
        print(config, about["key"], picture.size)  # webdataset decodes all as RGB; lines are gray
```

With [datasets](https://huggingface.co/docs/datasets), which takes the folder's path or the name of a \
repository on the Hub:

```python
from pathlib import Path

from datasets import load_dataset

members = {{"color": "{color}", "lineart": "lineart.png"}}
for config, member in members.items():
    for row in load_dataset(str(Path.cwd()), config, split="{first}", streaming=True):
        picture, about = row[member], row["json"]
```"""

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

{intro}

| split | samples | tars |
|---|--:|--:|
{splits}

## Reading it

{reading}

## What is in it

Every sample{each} has the same files, one after the other in its tar; `KEY` is the first 24 hex digits \
of the SHA-256 of the original file.

| file | what |
|---|---|
{members}
| `KEY.json` | what is known of the {thing} |

The JSON has the same fields in every sample{each}. A text is empty where nothing is known.

| field | what |
|---|---|
| `key`, `file`, `format`, `source_width`, `source_height` | the original: its key, name, format, and size \
in px |
| `width`, `height` | of the {thing}, in px |
| `style`, `polarity` | of `lineart.png`: the style that it was drawn in, and `black_on_white` or \
`white_on_black` |
| `ink`, `stroke_width`, `components`, `specks` | of `lineart.png`: the share of ink, 0 to 1; px, the \
median; connected pieces of ink; those under {speck} px |
| `url`, `artist`, `license`, `rating`, `caption` | as the sources state them; the strictest license and \
rating where they differ |
| `tags` | parted by `, `; a comma within a tag is written as a space |

`metadata/` has a Parquet row for each sample, with `tags` as a list, `split`, `cluster` (the group of \
near-duplicates, by its smallest key), `phash`, and these measures of the original:

| column | what |
|---|---|
{measures}

`index/` tells where in the tars the files lie (`*.idx` for DALI, `shardindex.json` for wids); \
`croissant.json` describes it all to machines;
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
{inexact}"""

INEXACT = """
Drawn with a network: {styles}. On another processor, or by another version of what runs it, a few pixels \
may be drawn otherwise from the same recipe.
"""
