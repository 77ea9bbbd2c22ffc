"""Contact sheets of pairs of pictures: side by side, what differs, their files and what they are taken for.

For eyes to judge.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageOps

SIDE, COLUMNS, ROWS = 116, 3, 7  # px of a picture, pairs across and down
CAPTION, GAP, LETTERS = 40, 8, 56
GAIN = 4  # times a difference is shown
WHITE, GRAY = (255, 255, 255, 255), (128, 128, 128, 255)
PAPER, INK = (225, 225, 225), (0, 0, 0)


def write(folder: Path, kind: str, rows: list[dict[str, Any]], root: str = "pictures") -> Iterator[str]:
    """Write sheets FOLDER/KIND-000.png of pairs, and yield where each pair stands: SHEET/NUMBER.

    rows: file_a and file_b, below FOLDER/ROOT; relation, distance.
    """
    wide, high = 3 * (SIDE + 2) + GAP, SIDE + CAPTION
    for start in range(0, len(rows), COLUMNS * ROWS):
        some = rows[start : start + COLUMNS * ROWS]
        sheet = Image.new("RGB", (COLUMNS * wide, -(-len(some) // COLUMNS) * high), PAPER)
        for number, row in enumerate(some):
            x, y = number % COLUMNS * wide, number // COLUMNS * high
            one, other = (_picture(folder / root / row[f"file_{side}"]) for side in "ab")
            apart = _difference(one, other, row["relation"] == "flip")
            for n, panel in enumerate((_shown(one), _shown(other), apart)):
                sheet.paste(panel, (x + n * (SIDE + 2), y))
            label = f"{start + number} {row['relation']} {row['distance']}  {one.size} {other.size}"
            text = "\n".join([label, row["file_a"][-LETTERS:], row["file_b"][-LETTERS:]])
            ImageDraw.Draw(sheet).multiline_text((x, y + SIDE), text, INK, spacing=1)
        path = folder / f"{kind}-{start // (COLUMNS * ROWS):03d}.png"
        sheet.save(path)
        yield from (f"{path.stem}/{start + number}" for number in range(len(some)))


def write_groups(folder: Path, kind: str, groups: list[list[str]], most: int, root: str = "pictures") -> None:
    """Write sheets FOLDER/KIND-000.png with a row for each group: number, size and some of its files."""
    high = SIDE + CAPTION // 2
    for start in range(0, len(groups), ROWS):
        some = groups[start : start + ROWS]
        sheet = Image.new("RGB", (most * (SIDE + 2), len(some) * high), PAPER)
        for number, files in enumerate(some):
            for n, file in enumerate(files[:most]):
                sheet.paste(_shown(_picture(folder / root / file)), (n * (SIDE + 2), number * high))
            text = f"{start + number}: {len(files)} pictures, {files[0]}"
            ImageDraw.Draw(sheet).text((0, number * high + SIDE), text, INK)
        sheet.save(folder / f"{kind}-{start // ROWS:03d}.png")


def _picture(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGBA")


def _shown(picture: Image.Image) -> Image.Image:
    """On white, in a square of SIDE; small ones enlarged without smoothing, as their pixels count."""
    times = max(1, SIDE // max(picture.size))
    if times > 1:
        picture = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    picture = (
        ImageOps.contain(picture, (SIDE, SIDE), Image.Resampling.BOX) if max(picture.size) > SIDE else picture
    )
    square = Image.new("RGBA", (SIDE, SIDE), WHITE)
    square.alpha_composite(picture)
    return square.convert("RGB")


def _difference(one: Image.Image, other: Image.Image, flipped: bool) -> Image.Image:
    """GAIN times the difference, frame on frame, on white or on gray, whichever shows more.

    So white on nothing is told from nothing.
    """
    other = ImageOps.mirror(other) if flipped else other
    other = other.resize(one.size, Image.Resampling.BICUBIC) if other.size != one.size else other
    grounds = [
        [Image.alpha_composite(Image.new("RGBA", p.size, ground), p).convert("RGB") for p in (one, other)]
        for ground in (WHITE, GRAY)
    ]
    left = ImageChops.lighter(*(ImageChops.difference(*pair) for pair in grounds))
    left = ImageOps.contain(left, (SIDE, SIDE), Image.Resampling.BOX)
    square = Image.new("RGB", (SIDE, SIDE))
    square.paste(left.point(lambda level: min(255, GAIN * level)))
    return square
