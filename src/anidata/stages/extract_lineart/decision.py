"""The decision of extract-lineart: why a kept picture has no whole pair.

A picture that can't be opened again has its error's code as reason.
"""

import pyarrow as pa

from anidata.catalog.decisions import REASONS, Decision

NO_INK, BLOT, NO_LINE, MISSING, CHANGED = "no_ink", "blot", "no_line", "missing", "changed"

DECISION = Decision(
    "lineart",
    pa.schema([*REASONS, ("message", pa.string())]),
    (NO_INK, BLOT, NO_LINE, MISSING, CHANGED),
    whole=False,
)
