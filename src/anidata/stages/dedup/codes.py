"""Codes of what decides which of two pictures stays (the column `why`), and what people are told for them."""

# What pixels tell, as the relations have it.
DERIVED = ("crop", "frame", "bar", "turn", "overlay")
DETAIL = ("detail",)
DAMAGE = ("blocks", "quality", "banding", "palette", "clipped", "noise")
# What else does.
SOUND, SIDE, TEXT, PREFER, DATE = "sound", "side", "text", "prefer", "date"
PROVENANCE, KEY, CIRCLE = "provenance", "key", "circle"
GUESS = "traces"  # by pixels, but not plainly: for when nothing but the key tells

# Of mirror images and turns: their sides outweigh these; of all but the text dedup.prefer and dates do too.
OUTVOTED = (TEXT, *DETAIL, *DAMAGE, GUESS)
# The strongest first: of two that show the same way round, and of two mirror images.
STRAIGHT = ((SOUND,), DERIVED, DETAIL, DAMAGE, (PREFER,), (PROVENANCE,), (GUESS,), (KEY,))
ACROSS = (
    *((SOUND,), DERIVED, (SIDE,), (TEXT,), (PREFER,), (DATE,)),
    *(DETAIL, DAMAGE, (PROVENANCE,), (GUESS,), (KEY,)),
)
WORDS = {  # about the picture that doesn't stay, or stands behind its keeper
    "crop": "it shows less of the picture",
    "frame": "a frame was put around it",
    "bar": "a bar was added to it",
    "turn": "it was turned",
    "overlay": "something was laid over it",
    "detail": "its keeper has finer detail",
    "blocks": "it shows more of JPEG's blocks",
    "quality": "it was compressed harder",
    "banding": "its shades are in steps",
    "palette": "it has fewer colors",
    "clipped": "its colors are clipped",
    "noise": "it has more noise",
    SOUND: "clean keeps its keeper and rejects it",
    SIDE: "more copies are the other way round",
    TEXT: "its text reads mirrored",
    PREFER: "dedup.prefer names its keeper first",
    DATE: "its keeper's stated date is earlier",
    PROVENANCE: "its keeper's source says more of artist and license",
    GUESS: "it seems to have been saved more often",
    KEY: "nothing tells them apart, so the smaller key stands first",
    CIRCLE: "evidence contradicts itself in a circle, of which the strongest decides",
}
RELATIONS = {  # of a picture to its keeper, whose name follows
    "exact": "the same pixels as",
    "reencoded": "a re-encoding of",
    "flip": "a mirror image of",
    "turn": "turned by a quarter or two, the same picture as",
    "crop": "cut, framed or turned slightly, the same picture as",
    "overlay": "with something drawn over it the same drawing as",
    "part": "a part of, or shares a part with",
    "recolor": "in other colors the same drawing as",
    "variant": "with something changed the same drawing as",
}


def strengths(order: tuple[tuple[str, ...], ...]) -> dict[str, int]:
    """Code → how strong it is, 0 the strongest."""
    return {code: n for n, some in enumerate(order) for code in some}


def words(code: str | None) -> str:
    """A code in words; one that this version doesn't know as it is."""
    return WORDS.get(code or "", code or "")
