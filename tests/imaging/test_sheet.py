import hashlib
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import ImageFont

from anidata.imaging import sheet, sheet_layout, sheet_text
from anidata.imaging.sheet import draw
from anidata.imaging.sheet_layout import Cell, Section
from anidata.imaging.sheet_text import fitted, plain

TEAL, PLUM, RUST, LIME = (
    (0, 128, 129),
    (130, 20, 131),
    (180, 70, 1),
    (140, 220, 3),
)  # none of the sheet's own colors
HOSTILE = [
    "\x00\x1b[31mred\x07\r\n\tname.png",
    "\u202egnp.exe\u2066\u200f.png",
    "line\u2028separator\u0085.png",
    "Z\u0300\u0301\u0302\u0303" * 300 + ".jpg",
    "黑翼大魔 (Heiyi Damo).webp",
    "🏴‍☠️👩‍🎨.png",
    "\ud800\udfff lone surrogates",
    "﷽﷽﷽" * 40,
    "W" * 100_000,
    "a b " * 9_999,
    "%s{0}$(reboot)`id`",
    "e\u0301 é Å ﬁ ½ ×–—−",
]


def flat(color, width=300, height=200):
    return np.full((height, width, 3), color, np.uint8)


def box_of(page, color):
    """Left, top, right, bottom (ends excluded) of a color, which must fill that box."""
    filled = (page == np.array(color, np.uint8)).all(axis=2)
    rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
    assert rows.size, f"{color} isn't on the sheet"
    box = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    assert filled[box[1] : box[3], box[0] : box[2]].all()
    return tuple(map(int, box))


def loose(cells, **settings):
    return Section("Some", [[cell] for cell in cells], **settings)


def white_lines(page):
    """Whether each row of the sheet is nothing but paper."""
    return (page == 255).all(axis=(1, 2))


@pytest.mark.parametrize("width", [320, 333, 900, 1600, 2400])
def test_a_sheet_is_as_wide_as_asked_with_white_margins(width):
    cells = [Cell(flat(TEAL), "a.png", "soft"), Cell(flat(PLUM), "b.png", "min_side")]
    page = draw(
        "Title", [("files", "12")] * 9, [loose(cells), Section("Pairs", [cells], touching=True)], width
    )
    edge = sheet_layout.margin(width)
    assert page.dtype == np.uint8
    assert page.shape[1:] == (width, 3)
    assert (page[:, :edge] == 255).all()
    assert (page[:, width - edge :] == 255).all()
    assert (page[-edge:] == 255).all()


def test_a_sheet_too_narrow_to_read_is_refused():
    with pytest.raises(ValueError, match="at least 320 px wide, not 200"):
        draw("Title", [], [], 200)


def test_an_empty_sheet_is_a_title_alone():
    page = draw("Title", [], [])
    assert page.shape == (172 + sheet_layout.MARGIN, 1600, 3)
    assert not white_lines(page).all()
    assert (draw("", [], []) == 255).all()


def test_an_empty_section_says_none():
    empty, head = draw("", [], [Section("Rejected", [])]), draw("", [], [loose([Cell(flat(TEAL))])])
    rule_and_title = slice(172, 172 + 124)
    assert (empty[rule_and_title] == draw("", [], [Section("Rejected", [[]])])[rule_and_title]).all()
    assert not white_lines(empty)[172 + 124 :].all()
    assert not np.isin(empty, TEAL).all(axis=2).any()
    assert len(empty) < len(head)


def test_every_picture_is_there_whole_centered_in_its_column():
    shapes = {TEAL: (300, 200), PLUM: (200, 300), RUST: (1_000, 100), LIME: (9, 9)}
    page = draw(
        "Title",
        [],
        [loose([Cell(flat(color, *shape), "name.png", "soft") for color, shape in shapes.items()])],
    )
    boxes = [box_of(page, color) for color in shapes]
    pitch = (1600 - 2 * 72 + sheet_layout.GAP) / 6
    for number, ((left, top, right, bottom), (width, height)) in enumerate(
        zip(boxes, shapes.values(), strict=True)
    ):
        middle = 72 + sheet_layout.INSET + number * pitch + (pitch - sheet_layout.GUTTER) / 2
        assert abs((left + right) / 2 - middle) <= 1.5
        assert abs((top + bottom) / 2 - (boxes[0][1] + boxes[0][3]) / 2) <= 1
        assert abs((right - left) * height - (bottom - top) * width) <= max(
            width, height
        )  # the shape is kept, to a px
    assert boxes[3][2] - boxes[3][0] == 18  # enlarged twice, no more
    assert (
        boxes[0][2] - boxes[0][0] == boxes[2][2] - boxes[2][0] == int(pitch) - sheet_layout.GUTTER - 2
    )  # shrunk to the cell, within a hairline


def test_a_shrunk_picture_looks_like_the_picture():
    ramp = np.repeat(np.linspace(0, 255, 590).astype(np.uint8)[None, :, None], 300, axis=0)
    picture = np.concatenate([ramp, ramp[:, ::-1], np.full_like(ramp, 77)], axis=2)
    page = draw("", [], [loose([Cell(picture)])])
    inside = page[:, :, 2] == 77
    rows, columns = np.flatnonzero(inside.sum(axis=1) > 150), np.flatnonzero(inside.sum(axis=0) > 80)
    shown = page[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(int)
    expected = np.linspace(0, 255, shown.shape[1])
    assert np.abs(shown[..., 0] - expected).max() <= 3
    assert np.abs(shown[..., 1] - expected[::-1]).max() <= 3


@pytest.mark.parametrize("shape", [(512, 512), (267, 560), (640, 296)])
def test_the_pictures_of_a_pair_touch_and_are_equally_high(shape):
    gray = np.full(shape[::-1], 99, np.uint8)
    page = draw(
        "Title",
        [],
        [Section("Pairs", [[Cell(flat(TEAL, *shape), "a.png"), Cell(gray, "xdog")]], touching=True)],
    )
    color, line = box_of(page, TEAL), box_of(page, (99, 99, 99))
    assert line[0] - color[2] == 1  # a hairline
    assert (color[1], color[3]) == (line[1], line[3])
    assert color[2] - color[0] == line[2] - line[0]


def test_a_pair_stays_together_however_narrow_the_sheet():
    page = draw(
        "Title",
        [],
        [
            Section(
                "Pairs", [[Cell(flat(TEAL)), Cell(flat(PLUM)), Cell(flat(RUST))]], touching=True, columns=1
            )
        ],
        400,
    )
    boxes = [box_of(page, color) for color in (TEAL, PLUM, RUST)]
    assert boxes[0][2] < boxes[1][0] < boxes[1][2] < boxes[2][0]
    assert len({(top, bottom) for _, top, _, bottom in boxes}) == 1


def test_a_group_moves_to_the_next_row_rather_than_be_cut():
    groups = [[Cell(flat(TEAL))] * 4, [Cell(flat(PLUM)), Cell(flat(RUST)), Cell(flat(LIME))]]
    page = draw("Title", [], [Section("Duplicates", groups)])
    boxes = [box_of(page, color) for color in (PLUM, RUST, LIME)]
    assert len({(top, bottom) for _, top, _, bottom in boxes}) == 1
    assert (page[boxes[0][1] :] != np.array(TEAL)).any(axis=2).all()
    columns = np.flatnonzero((page == np.array(TEAL)).all(axis=2).any(axis=0))
    assert boxes[0][0] == columns[0]  # the columns agree


def test_a_group_wider_than_the_sheet_goes_on_below():
    cells = [Cell(flat((n, 200, 7))) for n in range(8)]
    page = draw("Title", [], [Section("Duplicates", [cells])])
    tops = [box_of(page, (n, 200, 7))[1] for n in range(8)]
    assert len(set(tops[:6])) == 1
    assert tops[6] == tops[7] > tops[0]


def test_rows_beyond_the_limit_are_counted_not_drawn():
    cells = [Cell(flat((n, 200, 7))) for n in range(20)]
    page = draw("Title", [], [loose(cells, max_rows=2)])
    assert box_of(page, (11, 200, 7))
    assert not (page == np.array((12, 200, 7))).all(axis=2).any()
    assert len(page) < len(draw("Title", [], [loose(cells, max_rows=0)]))
    assert box_of(draw("Title", [], [loose(cells, max_rows=0)]), (19, 200, 7))


@pytest.mark.parametrize("tone", ["keeper", "kept", "dropped"])
def test_a_tone_frames_its_picture(tone):
    page = draw("Title", [], [loose([Cell(flat(TEAL), "a.png", tone, "3 bits", tone)])])
    left, top, right, bottom = box_of(page, TEAL)
    frame = page[top - 4 : bottom + 4, left - 4 : right + 4].copy()
    frame[4:-4, 4:-4] = sheet_layout.FRAMES[tone]
    assert (frame == sheet_layout.FRAMES[tone]).all()


def test_a_reason_has_the_same_color_throughout_a_section():
    def ground(cells, at):
        page = draw("", [], [loose(cells)])
        left, _, _, bottom = box_of(page, cells[at].picture[0, 0])
        return tuple(page[bottom + 1 + sheet_layout.AIR + 15, left + 3])

    cells = [
        Cell(flat(TEAL), caption="soft"),
        Cell(flat(PLUM), caption="flat"),
        Cell(flat(RUST), caption="soft"),
    ]
    assert ground(cells, 0) == ground(cells, 2) == sheet.HUES[0][0]
    assert ground(cells, 1) == sheet.HUES[1][0]


def test_a_picture_that_could_not_be_read_has_a_place():
    with_place = draw("", [], [loose([Cell(None, "half.png", "truncated")])])
    assert (
        with_place.shape == draw("", [], [loose([Cell(flat(TEAL, 99, 99), "half.png", "truncated")])]).shape
    )
    draw("", [], [Section("Pairs", [[Cell(None), Cell(flat(TEAL))]], touching=True)])


@pytest.mark.parametrize("shape", [(1, 1), (1, 5_000), (5_000, 1), (3, 2), (2_500, 1_200)])
@pytest.mark.parametrize("touching", [False, True])
def test_pictures_of_any_shape_fit(shape, touching):
    page = draw("", [], [Section("All", [[Cell(flat(TEAL, *shape)), Cell(flat(PLUM))]], touching=touching)])
    left, top, right, bottom = box_of(page, TEAL)
    assert right - left <= 2 * shape[0]
    assert bottom - top <= 2 * shape[1]
    assert page.shape[0] < 900


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_in_their_cell(name):
    def page(text):
        tones = ["plain", "dropped"]
        cells = [Cell(flat(TEAL, 300, 300), text, text, text, tone) for tone in tones] + [
            Cell(flat(PLUM, 300, 300), "b", "b", "b")
        ]
        return draw("", [], [Section("", [cells])])

    tame, wild = page("a"), page(name)
    assert tame.shape == wild.shape
    differing = np.flatnonzero((tame != wild).any(axis=(0, 2)))
    step = (1600 - 144 + sheet_layout.GAP) / 6
    column, within = np.divmod(differing - 72 - sheet_layout.INSET + 1, step)  # the columns begin on whole px
    assert set(column) <= {0, 1}
    assert within.max(initial=0) <= step - sheet_layout.GUTTER + 1


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_titles_stay_between_the_margins(name):
    page = draw(
        name, [(name, name)] * 7, [Section(name, [], name), Section(name, [[Cell(flat(TEAL), name)]])], 700
    )
    edge = sheet_layout.margin(700)
    assert (page[:, :edge] == 255).all()
    assert (page[:, -edge:] == 255).all()
    assert page.shape[1] == 700


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("Åsa été.png", "Asa ete.png"),
        ("e\u0301.png", "e.png"),
        ("黑.png", "?.png"),
        ("a\nb\x1b\u202e", "a·b··"),
        ("3\u00a0×\u20094", "3 x 4"),
        ("\ud800", "?"),
        ("ﬁle½", "file1/2"),
        ("", ""),
    ],
)
def test_text_is_reduced_to_what_the_font_has(text, drawn):
    assert plain(text) == drawn


def test_the_font_has_every_glyph_that_is_let_through():
    font = ImageFont.load_default(40)
    missing = bytes(font.getmask("\uffff"))
    assert missing
    assert [glyph for glyph in sorted(sheet_text.GLYPHS) if bytes(font.getmask(glyph)) == missing] == []


@given(
    st.text(st.characters() | st.characters(categories=["Cs", "Cf", "Mn"]), max_size=300),
    st.sampled_from([19, 34]),
    st.floats(0, 400),
)
@example("W" * 500, 19, 0)
@settings(deadline=None)
def test_cut_text_fits_and_has_no_character_that_steers(text, size, width):
    short = fitted(text, size, width)
    assert ImageFont.load_default(size).getlength(short) <= width
    assert set(short) <= sheet_text.GLYPHS
    assert not any(unicodedata.category(char)[0] == "C" for char in short)


def test_a_long_name_loses_its_middle():
    short = fitted("a_very_long_name_of_a_picture_from_some_board.jpeg", 19, 180)
    head, tail = short.split("…")
    assert "a_very_long_name".startswith(head)
    assert tail.endswith(".jpeg")
    assert abs(len(head) - len(tail)) <= 1
    assert fitted("short.png", 19, 180) == "short.png"


def test_the_same_input_gives_the_same_pixels_and_leaves_it_alone():
    picture = np.random.default_rng(0).integers(0, 256, (120, 90, 3), np.uint8)
    before = picture.copy()
    sections = [
        loose([Cell(picture, "a.png", "soft"), Cell(picture[..., 0], "b.png", "crop", "4 bits", "dropped")])
    ]
    first, second = (
        hashlib.sha256(draw("T", [("files", "2")], sections).tobytes()).hexdigest() for _ in range(2)
    )
    assert first == second
    assert (picture == before).all()


def test_pictures_may_be_views_and_read_only():
    picture = flat(TEAL, 300, 200)
    picture.flags.writeable = False
    assert box_of(draw("", [], [loose([Cell(picture[::-1, ::-1]), Cell(picture[:, ::2, 0])])]), TEAL)
