"""Draw the golden files anew, beside this one: `python tests/golden/draw.py`.

What each shows stands in expected.toml, by hand.
Needs programs that share no code with the decoder where there are such:
    apt-get install libjpeg-turbo-progs netpbm webp libavif-bin apngasm gifsicle \
        libtiff-tools libopenjp2-tools
All else is written here, by the formats' own rules.
"""

import shutil
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
WIDTH, HEIGHT = 48, 32
RED, GREEN, BLUE, YELLOW, WHITE = (230, 40, 40), (40, 180, 70), (50, 70, 210), (240, 220, 60), (255, 255, 255)
FLAG = (RED, GREEN, BLUE, YELLOW)  # the quadrants, in reading order
SKETCHES = Path(tempfile.mkdtemp())


def quadrants(colors, dtype=np.uint8) -> np.ndarray:
    """(32, 48, channels): four flat colors."""
    drawn = np.zeros((HEIGHT, WIDTH, len(colors[0])), dtype)
    for n, color in enumerate(colors):
        top, left = n // 2 * 16, n % 2 * 24
        drawn[top : top + 16, left : left + 24] = color
    return drawn


def write(name: str, data: bytes) -> None:
    (HERE / name).write_bytes(data)


def netpbm(name: str, pixels: np.ndarray) -> Path:
    """A sketch as PGM or PPM, of 8 or 16 bits: what the encoders read."""
    height, width, channels = pixels.shape
    kind, most = ("P5" if channels == 1 else "P6"), np.iinfo(pixels.dtype).max
    path = SKETCHES / name
    path.write_bytes(
        f"{kind}\n{width} {height}\n{most}\n".encode()
        + pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    )
    return path


def run(*command: object, stdin: Path | None = None) -> bytes:
    program = shutil.which(str(command[0]))
    if program is None:
        raise SystemExit(f"{command[0]} is missing; see the top of this file")
    given = stdin.read_bytes() if stdin else b""
    return subprocess.run(
        [program, *map(str, command[1:])], input=given, check=True, capture_output=True
    ).stdout


# PNG


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(pixels: np.ndarray, color: int, *chunks: bytes, depth: int = 8) -> bytes:
    """Rows without a filter. Samples of less than 8 bits are packed."""
    if depth < 8:
        bits = (pixels[..., 0, None] >> np.arange(depth - 1, -1, -1) & 1).astype(np.uint8)
        rows = np.packbits(bits.reshape(len(pixels), -1), axis=1)
    else:
        rows = pixels.astype(">u2" if depth == 16 else np.uint8).reshape(len(pixels), -1)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 9)
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + b"".join(chunks)
        + chunk(b"IDAT", packed)
        + chunk(b"IEND", b"")
    )


# EXIF and ICC


def tiff_exif(orientation: int) -> bytes:
    return b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def profile(kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile, version 2, of a display; tags are padded to four bytes by the caller."""
    start, table, bodies = 128 + 4 + 12 * len(tags), b"", b""
    for name, body in tags.items():
        table += name + struct.pack(">II", start + len(bodies), len(body))
        bodies += body
    size = start + len(bodies)
    head = (
        struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02100000, b"mntr", kind, b"XYZ ")
        + bytes(12)
        + b"acsp"
        + bytes(28)
    )
    return (
        (head + fixed(0.9642, 1.0, 0.8249)).ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies
    )


def gamma(value: float) -> bytes:
    return b"curv" + struct.pack(">IIHH", 0, 1, round(value * 256), 0)


def text(name: bytes) -> bytes:
    body = b"desc" + struct.pack(">II", 0, len(name) + 1) + name + bytes(1 + 78)
    return body + bytes(-len(body) % 4)


def matrix_profile(name: bytes, red, green, blue, exponent: float) -> bytes:
    columns = {
        tag: b"XYZ \0\0\0\0" + fixed(*color)
        for tag, color in ((b"rXYZ", red), (b"gXYZ", green), (b"bXYZ", blue))
    }
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma(exponent))
    white = b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249)
    return profile(b"RGB ", {b"desc": text(name), b"wtpt": white, **columns, **curves})


ADOBE = matrix_profile(
    b"wide", (0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457), 563 / 256
)
GRAY18 = profile(
    b"GRAY",
    {b"desc": text(b"gray"), b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249), b"kTRC": gamma(1.8)},
)


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<r:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></r:RDF></x:xmpmeta>'
)


def iccp(data: bytes) -> bytes:
    return chunk(b"iCCP", b"icc\0\0" + zlib.compress(data, 9))


# JPEG


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def behind_start(jpeg: bytes, *segments: bytes) -> bytes:
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def flat_jpeg(samples: np.ndarray, *extra: bytes) -> bytes:
    """A baseline JPEG of flat 8 × 8 blocks, (h / 8, w / 8, channels).

    All tables are 1, so that each sample is kept exactly.
    A flat block is its DC coefficient, 8 · (sample − 128), and an end of block. Code of category n:
    n in four bits; of the end: 0.
    """
    rows, columns, channels = samples.shape
    frame = struct.pack(">BHHB", 8, rows * 8, columns * 8, channels) + b"".join(
        bytes([n + 1, 0x11, 0]) for n in range(channels)
    )
    dc = b"\0" + bytes([0, 0, 0, 12]) + bytes(12) + bytes(range(12))
    ac = b"\x10" + bytes([1]) + bytes(15) + b"\0"
    scan = bytes([channels]) + b"".join(bytes([n + 1, 0]) for n in range(channels)) + b"\0\x3f\0"
    bits, before = [], [0] * channels
    for block in samples.reshape(-1, channels).tolist():
        for n, sample in enumerate(block):
            step, before[n] = 8 * (sample - 128) - before[n], 8 * (sample - 128)
            bits.append(coded(step) + "0")
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    body = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\0")
    tables = (
        segment(0xDB, b"\0" + bytes([1]) * 64) + segment(0xC0, frame) + segment(0xC4, dc) + segment(0xC4, ac)
    )
    return b"\xff\xd8" + b"".join(extra) + tables + segment(0xDA, scan) + body + b"\xff\xd9"


def coded(step: int) -> str:
    """The bits of a difference: its category, and its place in that."""
    size = abs(step).bit_length()
    value = step if step > 0 else step + (1 << size) - 1
    return f"{size:04b}" + (f"{value:0{size}b}" if size else "")


def adobe(transform: int) -> bytes:
    return segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform))


def blocks(colors) -> np.ndarray:
    return quadrants(colors)[::8, ::8]


def ycc(color) -> tuple[int, int, int]:
    """JFIF's luma and chroma of R, G, B."""
    red, green, blue = color
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return round(luma), round(128 + (blue - luma) / 1.772), round(128 + (red - luma) / 1.402)


def draw_jpegs() -> None:
    sketch = netpbm("flag.ppm", quadrants(FLAG))
    plain = run("cjpeg", "-quality", 95, "-optimize", stdin=sketch)
    for n in range(1, 9):
        write(f"exif-{n}.jpg", behind_start(plain, segment(0xE1, b"Exif\0\0" + tiff_exif(n))))
    write("exif-broken.jpg", behind_start(plain, segment(0xE1, b"Exif\0\0MM\0*\0\0\xff\xff")))
    write("progressive.jpg", run("cjpeg", "-quality", 95, "-progressive", stdin=sketch))
    write(
        "gray.jpg",
        run(
            "cjpeg",
            "-quality",
            95,
            "-grayscale",
            stdin=netpbm("gray.pgm", quadrants([(30,), (90,), (160,), (220,)])),
        ),
    )
    write("restarts.jpg", run("cjpeg", "-quality", 95, "-restart", "1B", stdin=sketch))
    write("subsampled-4x1.jpg", run("cjpeg", "-quality", 95, "-sample", "4x1", stdin=sketch))
    write("subsampled-1x4.jpg", run("cjpeg", "-quality", 95, "-sample", "1x4", stdin=sketch))
    write(
        "adobe-icc.jpg",
        behind_start(
            flat_jpeg(blocks([ycc(color) for color in FLAG])), segment(0xE2, b"ICC_PROFILE\0\1\1" + ADOBE)
        ),
    )
    write("broken-icc.jpg", behind_start(plain, segment(0xE2, b"ICC_PROFILE\0\1\1" + ADOBE[:200])))
    write("adobe-rgb.jpg", flat_jpeg(blocks(FLAG), adobe(0)))
    inks = [
        (*color, black) for color, black in zip(FLAG, (255, 255, 128, 64), strict=True)
    ]  # inverted: 255 is no ink
    write("cmyk.jpg", flat_jpeg(blocks(inks), adobe(0)))
    write(
        "ycck.jpg",
        flat_jpeg(blocks([(*ycc([255 - c for c in color[:3]]), color[3]) for color in inks]), adobe(2)),
    )
    write("truncated.jpg", plain[: len(plain) - 40])
    progressive = (HERE / "progressive.jpg").read_bytes()
    write("truncated-progressive.jpg", progressive[: progressive.rindex(b"\xff\xda")])


def draw_pngs() -> None:
    flag = quadrants(FLAG)
    draw_turned_and_profiled(flag)
    draw_sixteen_bits()
    draw_layouts(flag)
    write("interlaced.png", run("pnmtopng", "-interlace", netpbm("flag.ppm", flag)))
    write("interlaced-rgb.png", run("pnmtopng", "-interlace", "-force", netpbm("flag.ppm", flag)))
    plain = png(flag, 2)
    write("truncated.png", plain[:-20])
    row = WIDTH * 3 + 1
    rows = zlib.compress(zlib.decompress(plain[41:-16])[: row * 20])
    write("rows-missing.png", plain[:33] + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def draw_turned_and_profiled(flag: np.ndarray) -> None:
    write("exif-6.png", png(flag, 2, chunk(b"eXIf", tiff_exif(6))))
    write("xmp-6.png", png(flag, 2, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)))
    write("adobe-icc.png", png(flag, 2, iccp(ADOBE)))
    write(
        "adobe-icc-alpha.png",
        png(
            quadrants([(*color, alpha) for color, alpha in zip(FLAG, (255, 255, 0, 51), strict=True)]),
            6,
            iccp(ADOBE),
        ),
    )
    write("gray-icc.png", png(quadrants([(30,), (90,), (160,), (220,)]), 0, iccp(GRAY18)))
    write("broken-icc.png", png(flag, 2, iccp(ADOBE[:200])))
    write("foreign-icc.png", png(flag, 2, iccp(GRAY18)))


def draw_sixteen_bits() -> None:
    deep = np.uint16
    write("gray-16.png", png(quadrants([(0x0080,), (0x4000,), (0x80FF,), (0xFFFE,)], deep), 0, depth=16))
    write(
        "rgb-16.png",
        png(
            quadrants([(0x1234, 0x8000, 0xFF00), (0x00FF, 0x0100, 0x7FFF), (0xFFFF,) * 3, (0, 0, 1)], deep),
            2,
            depth=16,
        ),
    )
    write(
        "rgba-16.png",
        png(quadrants([(0x1234, 0x8000, 0xFF00, v) for v in (0xFFFF, 0, 0x3333, 0x00FF)], deep), 6, depth=16),
    )


def draw_layouts(flag: np.ndarray) -> None:
    for depth, levels in ((1, (0, 1, 1, 0)), (2, (0, 1, 2, 3)), (4, (0, 5, 10, 15)), (8, (30, 90, 160, 220))):
        write(f"gray-{depth}.png", png(quadrants([(level,) for level in levels]), 0, depth=depth))
    palette, places = (
        chunk(b"PLTE", bytes(v for color in FLAG for v in color)),
        quadrants([(0,), (1,), (2,), (3,)]),
    )
    write("palette.png", png(places, 3, palette, depth=2))
    write("palette-8.png", png(places, 3, palette))
    write("palette-trns.png", png(places, 3, palette, chunk(b"tRNS", bytes([255, 0, 51]))))
    write("rgb-key.png", png(flag, 2, chunk(b"tRNS", struct.pack(">HHH", *GREEN))))
    write(
        "gray-key.png",
        png(quadrants([(30,), (90,), (160,), (220,)]), 0, chunk(b"tRNS", struct.pack(">H", 90))),
    )
    write("gray-alpha.png", png(quadrants([(30, 255), (90, 0), (160, 51), (220, 128)]), 4))
    write("rgba-hidden.png", png(quadrants([(*RED, 0), (*GREEN, 255), (*BLUE, 51), (*YELLOW, 0)]), 6))


def draw_frames() -> None:
    """Three frames: the flag, all blue, all white."""
    frames = [quadrants(FLAG), quadrants([BLUE] * 4), quadrants([WHITE] * 4)]
    for n, frame in enumerate(frames):
        (SKETCHES / f"frame{n}.png").write_bytes(png(frame, 2))
        (SKETCHES / f"frame{n}.gif").write_bytes(run("ppmtogif", netpbm(f"frame{n}.ppm", frame)))
        run(
            "pamtotiff",
            "-lzw",
            "-rowsperstrip",
            32,
            "-output",
            SKETCHES / f"frame{n}.tif",
            netpbm(f"frame{n}.ppm", frame),
        )
    gifs, pngs, tiffs = (
        [SKETCHES / f"frame{n}.{ending}" for n in range(3)] for ending in ("gif", "png", "tif")
    )
    write("animated.gif", run("gifsicle", "--delay=10", "--loop", *gifs))
    run("gif2webp", "-quiet", HERE / "animated.gif", "-o", HERE / "animated.webp")
    run("apngasm", HERE / "animated.png", *pngs)
    run("avifenc", "--lossless", *pngs, "-o", HERE / "animated.avif")
    run("tiffcp", *tiffs, HERE / "pages.tif")
    write("still.gif", run("gifsicle", "--interlace", gifs[0]))
    write("transparent.gif", run("gifsicle", "--transparent=#28b446", gifs[0]))
    small = SKETCHES / "small.gif"
    small.write_bytes(run("gifsicle", "--crop=0,0+24x16", gifs[0]))
    write("first-frame-small.gif", run("gifsicle", "--logical-screen=48x32", "--position=24,16", small))
    write("truncated.gif", (HERE / "still.gif").read_bytes()[:-12])


def draw_others() -> None:
    flag = netpbm("flag.ppm", quadrants(FLAG))
    sketch, clear = SKETCHES / "flag.png", SKETCHES / "clear.png"
    sketch.write_bytes(png(quadrants(FLAG), 2))
    clear.write_bytes((HERE / "rgba-hidden.png").read_bytes())
    run("cwebp", "-quiet", "-lossless", "-exact", clear, "-o", HERE / "lossless.webp")
    run("cwebp", "-quiet", "-q", 95, clear, "-o", HERE / "lossy-alpha.webp")
    run("cwebp", "-quiet", "-q", 95, sketch, "-o", HERE / "lossy.webp")
    exif, icc = SKETCHES / "exif", SKETCHES / "icc"
    exif.write_bytes(tiff_exif(8))
    icc.write_bytes(ADOBE)
    run("cwebp", "-quiet", "-lossless", sketch, "-o", SKETCHES / "plain.webp")
    run("webpmux", "-set", "exif", exif, SKETCHES / "plain.webp", "-o", HERE / "exif-8.webp")
    run("webpmux", "-set", "icc", icc, SKETCHES / "plain.webp", "-o", HERE / "adobe-icc.webp")
    run("avifenc", "--lossless", sketch, "-o", HERE / "lossless.avif")
    run("avifenc", "--lossless", clear, "-o", HERE / "alpha.avif")
    run("avifenc", "--lossless", "--irot", 1, sketch, "-o", HERE / "turned.avif")
    run("avifenc", "--min", 0, "--max", 10, "-d", 10, "-y", 444, sketch, "-o", HERE / "ten-bits.avif")
    run("opj_compress", "-n", 3, "-i", flag, "-o", HERE / "lossless.jp2")
    draw_tiffs(flag)
    draw_bmps(flag)
    for name, lost in (
        ("lossless.webp", 30),
        ("lossless.avif", 30),
        ("lossless.jp2", 30),
        ("rgb.tif", 30),
        ("rgb.bmp", 300),
    ):
        write("truncated." + name.split(".")[1], (HERE / name).read_bytes()[:-lost])


def draw_tiffs(flag: Path) -> None:
    deep = netpbm(
        "deep.ppm",
        quadrants([(0x1234, 0x8000, 0xFF00), (0x00FF, 0x0100, 0x7FFF), (0xFFFF,) * 3, (0, 0, 1)], np.uint16),
    )
    gray = netpbm("deep.pgm", quadrants([(0x0080,), (0x4000,), (0x80FF,), (0xFFFE,)], np.uint16))
    for name, sketch in (("rgb.tif", flag), ("rgb-16.tif", deep), ("gray-16.tif", gray)):
        (HERE / name).unlink(missing_ok=True)  # else it becomes another page
        color = () if name == "gray-16.tif" else ("-truecolor",)
        run("pamtotiff", *color, "-lzw", "-rowsperstrip", 32, "-output", HERE / name, sketch)
    shutil.copy(HERE / "rgb.tif", HERE / "exif-6.tif")
    run("tiffset", "-s", 274, 6, HERE / "exif-6.tif")
    run("tiffcp", "-t", "-w", 16, "-l", 16, "-c", "zip", HERE / "rgb.tif", HERE / "tiled.tif")


def bmp(bits: int, compression: int, body: bytes, masks: bytes = b"", height: int = HEIGHT) -> bytes:
    start = 14 + 40 + len(masks)
    head = struct.pack("<2sIII", b"BM", start + len(body), 0, start)
    return (
        head
        + struct.pack(
            "<IiiHHIIiiII",
            40,
            WIDTH,
            height,
            1,
            bits,
            compression,
            len(body),
            2835,
            2835,
            len(masks) // 4 if bits == 8 else 0,
            0,
        )
        + masks
        + body
    )


def draw_bmps(flag: Path) -> None:
    write("rgb.bmp", run("ppmtobmp", "-bpp=24", flag))
    write("palette.bmp", run("ppmtobmp", "-bpp=4", flag))
    rows = quadrants(FLAG)[..., ::-1]
    write("top-down.bmp", bmp(24, 0, rows.tobytes(), height=-HEIGHT))
    packed = quadrants(
        [(color[0] >> 3 << 11 | color[1] >> 2 << 5 | color[2] >> 3,) for color in FLAG], np.uint16
    )
    write(
        "rgb-565.bmp",
        bmp(16, 3, packed[::-1].astype("<u2").tobytes(), struct.pack("<III", 0xF800, 0x07E0, 0x001F)),
    )
    table = b"".join(bytes([color[2], color[1], color[0], 0]) for color in FLAG)
    runs = b"".join(bytes([24, 2, 24, 3, 0, 0]) for _ in range(16)) + b"".join(
        bytes([24, 0, 24, 1, 0, 0]) for _ in range(16)
    )
    write("rle8.bmp", bmp(8, 1, runs + b"\0\1", table))


if __name__ == "__main__":
    draw_jpegs()
    draw_pngs()
    draw_frames()
    draw_others()
    shutil.rmtree(SKETCHES)
    files = [path for path in HERE.iterdir() if path.suffix not in (".py", ".toml", ".md")]
    sizes = [path.stat().st_size for path in files]
    print(f"{len(files)} files, {sum(sizes):,} bytes, at most {max(sizes):,}")
