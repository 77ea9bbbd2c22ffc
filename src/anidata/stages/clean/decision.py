"""The decision of clean: every rule that a picture broke, the gravest first."""

import pyarrow as pa

from anidata.catalog.decisions import REASONS, Decision
from anidata.stages.clean.rules import RULES

WHERE = "where"  # the reason of pictures for which the recipe's own condition isn't true

DECISION = Decision("clean", pa.schema(REASONS), (*(rule.reason for rule in RULES), WHERE))
