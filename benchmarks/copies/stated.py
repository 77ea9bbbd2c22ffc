"""The transforms with what is right of each, where that has changed since copies were made.

The code that makes copies names the folder in which they lie: what is said of them alone stands here.
"""

from dataclasses import replace

from copies import all as made

TURNS = ("quarter_left", "quarter_right", "upside_down")
TRANSFORMS = made.TRANSFORMS | {
    name: replace(made.TRANSFORMS[name], right=("turn",), keeper="sided") for name in TURNS
}
