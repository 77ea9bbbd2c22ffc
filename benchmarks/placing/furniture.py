"""Pictures that share furniture: interfaces, maps, sprites; and pages with one frame, bar, border or header.

Of the pages each shows another picture, so that each link between two of them is wrong: SETS of a kind.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

import art_table
from copies import frames, originals
from copies.lettering import font, sentence
from copies.originals import Original
from copies.overlays import logo
from copies.transform import generator
from placing import unrelated

KINDS = ("interfaces", "maps", "sprites")  # of packages, as art.csv has them
SETS = 30  # pages of each kind of furniture
Color = str | tuple[int, int, int]
Draw = Callable[[Image.Image, str], Image.Image]


def lay(pile: Path, half: str, count: int, folder: Path) -> Path:
    """The pile: so many pictures of packages of KINDS in turn, and the pages in `pages`."""
    packages = [package for package in art_table.read() if (folder / half / package.folder).is_dir()]
    shared = sorted(folder / half / package.folder for package in packages if package.kind in KINDS)
    unrelated.link(pile, itertools.islice(unrelated.in_turn(shared), count))
    names = {one.name for one in shared}
    chosen = originals.choose(folder / half, 3 * len(FURNITURE) * SETS)
    apart = [one for one in chosen if one.path.relative_to(folder / half).parts[0] not in names]
    write(pile / "pages", apart)
    return pile


def write(folder: Path, pictures: Sequence[Original]) -> None:
    """Pages of each kind of furniture around pictures, as many as these suffice for."""
    folder.mkdir(parents=True, exist_ok=True)
    for n, original in enumerate(pictures[: len(FURNITURE) * SETS]):
        kind = list(FURNITURE)[n % len(FURNITURE)]
        image = originals.opened(original.path)
        if image is not None:
            FURNITURE[kind](image, original.name).save(folder / f"{kind}-{n:03}.png")


def tell(home: Path, verdicts: Sequence[Path] = ()) -> None:
    """Say what was linked, and how many of the links are of two pages."""
    linked = unrelated.tell(home, verdicts)
    pages = len(list((home / "pictures/pages").iterdir()))
    wrong = [row for row in linked if is_wrong(row)]
    kinds = Counter(Path(row["file_a"]).name.split("-")[0] for row in wrong)
    words = ", ".join(f"{kind} {count}" for kind, count in kinds.items()) or "none"
    print(f"two of {pages} pages that share furniture alone: {len(wrong)} linked ({words})")


def is_wrong(row: Mapping[str, str]) -> bool:
    """Whether a link, by its two files below the pile, is of two pages, and so wrong."""
    return all(row[side].startswith("pages/") for side in ("file_a", "file_b"))


def framed(image: Image.Image, _: str) -> Image.Image:
    """One ornamented frame, and one logo, around a square."""
    square = logo(ImageOps.fit(image, (420, 420)), generator("furniture", "logo"))
    return frames.decorated(square, generator("furniture", "frame"))


def window(image: Image.Image, name: str) -> Image.Image:
    """A window with a title, a menu and a list of names beside the picture."""
    out, rng = Image.new("RGB", (720, 480), (236, 236, 240)), generator("furniture", "window")
    draw = ImageDraw.Draw(out)
    draw.rectangle((0, 0, 720, 28), fill=(52, 73, 110))
    _say(draw, (12, 14), sentence(generator(name, "title"), 2, 3)[0], "white", 15)
    for n, color in enumerate(((230, 80, 70), (240, 190, 60), (90, 190, 90))):
        draw.ellipse((650 + 22 * n, 7, 664 + 22 * n, 21), fill=color)
    for n, word in enumerate(("File", "Edit", "View", "Image", "Window", "Help")):
        _say(draw, (14 + 70 * n, 42), word, (30, 30, 30), 14)
    for n in range(14):
        words, color = " ".join(sentence(rng, 2, 3)), tuple(rng.integers(60, 220, 3).tolist())
        box = (10, 64 + 29 * n, 200, 88 + 29 * n)
        draw.rounded_rectangle(box, 4, fill=(250, 250, 252), outline=(170, 170, 180))
        _say(draw, (36, 76 + 29 * n), words, (40, 40, 60), 12)
        draw.ellipse((16, 70 + 29 * n, 28, 82 + 29 * n), fill=color)
    out.paste(ImageOps.fit(image, (490, 400)), (216, 64))
    return out


def card(image: Image.Image, name: str) -> Image.Image:
    """A card of a game: a border with gems, a picture, lines of words."""
    out, own = Image.new("RGB", (360, 504), (60, 42, 30)), generator(name, "card")
    draw = ImageDraw.Draw(out)
    draw.rounded_rectangle((12, 12, 347, 491), 14, fill=(214, 190, 140), outline=(250, 230, 170), width=4)
    for x, y in itertools.product((24, 336), (24, 480)):
        draw.regular_polygon((x, y, 16), 6, fill=(180, 30, 60), outline=(255, 220, 200))
    draw.rectangle((34, 30, 326, 58), fill=(240, 225, 190), outline=(90, 60, 30), width=2)
    _say(draw, (44, 44), " ".join(sentence(own, 2, 3)).title(), (40, 20, 10), 17)
    out.paste(ImageOps.fit(image, (292, 216)), (34, 66))
    draw.rectangle((34, 292, 326, 470), fill=(246, 238, 214), outline=(90, 60, 30), width=2)
    for n in range(5):
        draw.text(
            (44, 310 + 26 * n), " ".join(sentence(own, 4, 6)), anchor="lm", fill=(30, 20, 10), font=font(14)
        )
    draw.text((300, 458), str(own.integers(1, 12)), anchor="mm", fill=(120, 0, 0), font=font(22))
    return out


def column(image: Image.Image, name: str) -> Image.Image:
    """A page of a site: a header, tabs, a picture, words of its own, a footer."""
    out = Image.new("RGB", (560, 720), "white")
    draw = ImageDraw.Draw(out)
    draw.rectangle((0, 0, 560, 84), fill=(24, 120, 130))
    draw.regular_polygon((52, 42, 30), 5, fill=(255, 210, 60), outline="white")
    _say(draw, (100, 42), "The Daily Larkspur", "white", 34)
    for n, word in enumerate(("News", "Comics", "Archive", "Forum", "About")):
        draw.rectangle((10 + 108 * n, 92, 108 + 108 * n, 120), fill=(225, 240, 240), outline=(24, 120, 130))
        draw.text((59 + 108 * n, 106), word, anchor="mm", fill=(10, 60, 70), font=font(15))
    out.paste(ImageOps.fit(image, (520, 400)), (20, 136))
    rng = generator(name, "column")
    for n in range(5):
        draw.text(
            (20, 560 + 22 * n), " ".join(sentence(rng, 8, 10)), anchor="lm", fill=(40, 40, 40), font=font(14)
        )
    draw.rectangle((0, 672, 560, 720), fill=(40, 44, 52))
    draw.text((280, 696), "imprint · privacy · artworks.example", anchor="mm", fill="white", font=font(14))
    return out


def _say(draw: ImageDraw.ImageDraw, at: tuple[int, int], words: str, color: Color, size: int) -> None:
    """Write a line whose left end's middle is at a point."""
    draw.text(at, words, anchor="lm", fill=color, font=font(size))


FURNITURE: dict[str, Draw] = {"frame": framed, "window": window, "card": card, "column": column}
