"""Markers and names of every form, to be put into damaged files of it."""

JPEG_CODES = bytes.fromhex("00 01 C0 C1 C2 C3 C4 C9 CC D0 D7 D8 D9 DA DB DD E0")
JPEG2000_CODES = bytes.fromhex("4F 51 52 53 55 58 5C 5D 5F 90 91 92 93 D9")
TIFF_TAGS = (256, 257, 258, 259, 262, 273, 277, 278, 279, 320, 322, 324, 330, 338)
AVIF_BOXES = (
    b"ftyp meta hdlr pitm iloc iinf infe iprp ipco ipma ispe pixi av1C auxC iref irot imir colr moov trak"
)

WORDS = {
    "jpeg": [bytes([0xFF, code]) for code in JPEG_CODES]
    + [
        b"\xff\xe1\0\x10Exif\0\0II*\0",
        b"\xff\xe2\0\x10ICC_PROFILE\0\1\1",
        b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\2",
    ],
    "png": b"IHDR PLTE tRNS IDAT IEND acTL fcTL fdAT iCCP eXIf sRGB zTXt CgBI".split(),
    "gif": [b"GIF87a", b"GIF89a", b",\0\0\0\0", b"!\xf9\4\1\0\0\0\0", b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0"]
    + [b"!\xfe", b";", b"\xff" * 256, b"\0"],
    "webp": [
        b"RIFF",
        b"WEBP",
        b"VP8 ",
        b"VP8L",
        b"VP8X",
        b"ALPH",
        b"ANIM",
        b"ANMF",
        b"ICCP",
        b"EXIF",
        b"XMP ",
    ]
    + [b"\x9d\x01\x2a", b"\x2f"],
    "bmp": [b"BM", b"\0\0", b"\0\1", b"\0\2", b"\0\3", b"\x28\0\0\0", b"\x7c\0\0\0"]
    + [b"\1\0\x20\0\3\0\0\0", b"\1\0\x08\0\1\0\0\0"],
    "tiff": [bytes([tag & 255, tag >> 8, kind, 0]) for tag in TIFF_TAGS for kind in (3, 4)]
    + [b"II*\0", b"MM\0*", b"II+\0", bytes([7, 0]), bytes([0xB0, 0xC3])],
    "avif": AVIF_BOXES.split() + [b"stsz", b"mdat", b"avis"],
    "jpeg2000": [bytes([0xFF, code]) for code in JPEG2000_CODES]
    + [b"jp2h", b"ihdr", b"colr", b"pclr", b"cmap", b"cdef", b"jp2c"],
}
