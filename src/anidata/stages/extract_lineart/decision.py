"""The decision of extract-lineart: why a kept picture has no whole pair.

A picture that can't be opened again has its error's code as reason.
"""

import pyarrow as pa

from anidata.catalog.decisions import REASONS, Decision

NO_INK, BLOT, SCRIBBLE, NO_LINE = "no_ink", "blot", "scribble", "no_line"
MISSING, CHANGED = "missing", "changed"

DECISION = Decision(
    "lineart",
    pa.schema([*REASONS, ("message", pa.string())]),
    (NO_INK, BLOT, SCRIBBLE, NO_LINE, MISSING, CHANGED),
    whole=False,
)
