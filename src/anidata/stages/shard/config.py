"""The settings of shard: which splits there are, and how large a tar is."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from anidata import recipe
from anidata.errors import RecipeError
from anidata.recipe import Count, Document, Positive

SUM = 1e-6  # by which shares may miss 1


@dataclass(frozen=True)
class Config:
    """Split the pairs and pack them."""

    # shares of clusters; they sum to 1
    splits: dict[str, float] = field(default_factory=lambda: {"train": 0.8, "val": 0.1, "test": 0.1})
    seed: Count = 0  # of the split: another seed, other clusters in test; splits once written stay
    shard_bytes: Positive = 268_435_456  # aimed at when the number of shards is first chosen
    shard_samples: Positive = 10_000  # likewise, where that makes more shards
    # no pairs, but two configs for the Hub, color and lineart, each with half of the clusters
    unpaired: bool = False

    def __post_init__(self) -> None:
        if not self.splits or abs(sum(self.splits.values()) - 1) > SUM or min(self.splits.values()) < 0:
            raise RecipeError(
                f"[shard] splits: {self.splits}: shares from 0 to 1 that sum to 1, "
                "such as train = 0.8, val = 0.1, test = 0.1"
            )
        if not all(name.isidentifier() for name in self.splits):
            raise RecipeError(
                f"[shard] splits: {', '.join(self.splits)}: a split's name is letters, digits and _"
            )


def portable(table: Document) -> Document:
    """The table without `unpaired` where that is off: data sets of pairs keep their bytes."""
    return table if table["unpaired"] else {name: table[name] for name in table if name != "unpaired"}


def spelled(table: Document, settings: Sequence[str]) -> Document:
    """The table with whole splits: `--set shard.splits.test=.1` alone can't sum to 1.

    What is set stays; the first split that isn't takes the remainder.
    """
    named = {s.split("=", 1)[0].strip().split(".")[2] for s in settings if s.startswith("shard.splits.")}
    splits = table.get("splits", {})
    first = next((name for name in splits if name not in named), None) if isinstance(splits, dict) else None
    if not named or first is None:
        return table
    others = sum(share for name, share in splits.items() if name != first and isinstance(share, int | float))
    return recipe.assigned(table, f"splits.{first}={round(1 - others, 9)}")
