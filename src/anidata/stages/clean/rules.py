"""The rules of clean: an SQL expression over a picture's columns, and the setting that it may not pass."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """A bound on a picture's columns.

    A picture breaks it where the SQL expression `value` lies on the wrong side of the setting; null breaks
    nothing.
    """

    reason: str
    setting: str
    value: str
    least: bool = False  # the setting is the least value allowed, not the most
    # the value is 1 at most, and a setting of 1 switches the rule off; others are off at 0
    share: bool = False

    @property
    def off(self) -> float:
        return 1.0 if self.share else 0.0


NOT_FLAT = "flatness <= $max_flatness"  # a single tone is flat, and not dark or light besides
LIGHT = "black_point + white_point > 255"
RULES = (  # of equal margins the first is the graver
    Rule("flat", "max_flatness", "flatness", share=True),
    Rule("min_side", "min_side", "least(width, height)", least=True),
    Rule("too_small", "max_enlargement", "$enlargement"),
    Rule("aspect", "max_aspect", "greatest(width, height) / least(width, height)"),
    Rule("text_page", "max_text_page", "text_page", share=True),
    Rule("line_drawing", "max_line_drawing", "line_drawing", share=True),
    Rule("monochrome", "min_chroma", "chroma", least=True),
    Rule("dark", "min_white_point", f"CASE WHEN {NOT_FLAT} THEN white_point END", least=True),
    Rule(
        "washed_out",
        "min_contrast",
        f"CASE WHEN {NOT_FLAT} AND {LIGHT} THEN white_point - black_point END",
        least=True,
    ),
    Rule("pixel_art", "max_pixel_art", "pixel_art", share=True),
    Rule("jpeg_blocks", "max_jpeg_blocks", "jpeg_blocks"),
    Rule("jpeg_quality", "min_jpeg_quality", "jpeg_quality", least=True),
    Rule("noisy", "max_noise", "noise"),
    Rule("soft", "min_sharpness", "sharpness", least=True),
    Rule("border", "max_border", "border", share=True),
    Rule("photo", "max_photo", "photo", share=True),
    Rule("outlier", "max_outlier", "$outlier"),
)


def margin(values: Values, threshold: float, rule: Rule) -> Values:
    """How far each value lies on the wrong side.

    0 where the rule is kept or off, 1 at the worst value there is (0, 1 or no bound).
    """
    if threshold == rule.off:
        return np.zeros(len(values))
    if rule.least:
        wrong = 1 - values / threshold
    elif rule.share:
        wrong = (values - threshold) / (1 - threshold)
    else:
        wrong = 1 - threshold / np.maximum(values, 1e-300)
    return np.fmax(wrong, 0)  # of nan too
