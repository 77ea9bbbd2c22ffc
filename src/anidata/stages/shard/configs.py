"""The configs of an unpaired set, color and lineart: which of them a cluster is in.

A *group* of shards is what has tars of its own: a split, and of an unpaired set a config's part of it, such
as color-train. Splits have no dash in their names.
"""

from anidata.dataset.description import COLOR, LINEART
from anidata.stages.shard.config import Config

# The first member of a cluster to get a split decides, by its own digits: new members, and clusters that
# merge, follow it, as they do in their split.
UNPAIRED = f"""
SELECT key, concat(
    if(('0x' || sha256('config:' || coalesce(first, key))[1:13])::UBIGINT % 2 = 0, '{COLOR}', '{LINEART}'),
    '-', split
) AS name
FROM _splits LEFT JOIN (SELECT key, cluster FROM _related) USING (key) LEFT JOIN (
    SELECT cluster, arg_min(key, (since, key)) AS first FROM _splits JOIN _related USING (key)
    GROUP BY cluster
) USING (cluster)
"""
PAIRED = "SELECT key, split AS name FROM _splits"


def groups(config: Config) -> str:
    """SQL: key and `name` of the group of each sample."""
    return UNPAIRED if config.unpaired else PAIRED


def config_of(group: str) -> str:
    """The config of a group; empty where it is of pairs."""
    return group.rpartition("-")[0]


def split_of(group: str) -> str:
    """The split of a group."""
    return group.rpartition("-")[2]


def has(config: str, style: str) -> bool:
    """Whether a config has the pictures of a style, COLOR among them."""
    return config in ("", COLOR if style == COLOR else LINEART)
