"""All transforms by name."""

from copies import chains, colors, encoding, faces, frames, overlays, turns
from copies.transform import Transform

TRANSFORMS: dict[str, Transform] = {
    transform.name: transform
    for part in (encoding, colors, overlays, frames, turns, faces, chains)
    for transform in part.TRANSFORMS
}
TRUE_COPIES = ("encoding", "size", "palette")  # kinds: nothing but the file has changed
