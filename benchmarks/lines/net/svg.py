"""A vector drawing's lines apart from its colors: the same drawing with ink black and all else white.

So the lines come out with what hides them: a fill that lies over a line hides it in the truth as well.
Ink is what is dark (max of R, G, B at most DARK) and every stroke that isn't light (luma); a translucent
paint is none. What can't be taken apart so (style sheets, pictures, filters, patterns) is refused.
"""

import copy
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

from PIL import ImageColor

DARK, LIGHT, SOLID = 80, 215, 0.9  # grey levels; luma of a stroke that is no ink; opacity
SHAPES = {"path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "use"}
KEPT = {"mask", "clipPath", "linearGradient", "radialGradient", "metadata", "title", "desc"}
REFUSED = {"style", "image", "filter", "pattern", "foreignObject", "text", "script", "marker"}
PAINTS = ("fill", "stroke", "opacity", "fill-opacity", "stroke-opacity", "stroke-width")
BLACK, WHITE = "#000000", "#ffffff"


def lines_only(svg: str, dark: int = DARK) -> str | None:
    """The drawing with its ink black and all else white; None where it can't be taken apart."""
    try:
        root = ET.fromstring(svg)  # noqa: S314 (of packages that we chose)
    except ET.ParseError:
        return None
    if any(_name(e) in REFUSED or "class" in e.attrib for e in root.iter()):
        return None
    root = copy.deepcopy(root)
    _walk(root, {"fill": "black", "stroke": "none"}, 1.0, dark)
    return ET.tostring(root, encoding="unicode")


def creator(svg: str) -> str:
    """The artist's name in a drawing's metadata; empty where it has none."""
    of = re.search(r"<dc:creator>(.*?)</dc:creator>", svg, re.DOTALL)
    title = re.search(r"<dc:title>\s*(.*?)\s*</dc:title>", of[1], re.DOTALL) if of else None
    return re.sub(r"\s+", " ", title[1]) if title else ""


def _walk(element: ET.Element, paints: dict[str, str], opacity: float, dark: int) -> None:
    if _name(element) in KEPT:
        return
    own = _own(element)
    paints = {name: own.get(name, paints[name]) for name in ("fill", "stroke")}
    opacity *= _number(own.get("opacity"))
    if _name(element) in SHAPES:
        fill = opacity * _number(own.get("fill-opacity")), dark, max
        stroke = opacity * _number(own.get("stroke-opacity")), LIGHT, luma
        _repaint(element, _paint(paints["fill"], *fill), _paint(paints["stroke"], *stroke))
    for child in element:
        _walk(child, paints, opacity, dark)


def _repaint(element: ET.Element, fill: str, stroke: str) -> None:
    element.set("fill", fill)
    element.set("stroke", stroke)
    for name in ("opacity", "fill-opacity", "stroke-opacity"):
        element.attrib.pop(name, None)
    kept = [p for p in element.get("style", "").split(";") if p.split(":")[0].strip() not in PAINTS[:5]]
    element.set("style", ";".join(kept))


def _paint(color: str, opacity: float, limit: int, lightness: Callable[[tuple[int, ...]], float]) -> str:
    """Black where it is ink, white where it is another color, none where it doesn't hide."""
    if color == "none" or opacity < SOLID:
        return "none"
    try:
        rgb = ImageColor.getrgb("black" if color == "currentColor" else color)[:3]
    except ValueError:  # a gradient
        return WHITE
    return BLACK if lightness(rgb) <= limit else WHITE


def luma(rgb: tuple[int, ...]) -> float:
    """Grey level of a color (BT.601)."""
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]


def _own(element: ET.Element) -> dict[str, str]:
    style = [p.split(":", 1) for p in element.get("style", "").split(";") if ":" in p]
    own = {name: element.attrib[name] for name in PAINTS if name in element.attrib}
    return own | {name.strip(): value.strip() for name, value in style if name.strip() in PAINTS}


def _number(text: str | None) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 1.0


def _name(element: ET.Element) -> str:
    return element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else ""
