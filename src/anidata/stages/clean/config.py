"""The settings of clean, and the pages of the data set that it cleans for."""

from dataclasses import dataclass

from anidata.imaging.fit import Fit
from anidata.recipe import Amount, Count, Share


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which pictures are good enough; 0 (1 for a share that may not be exceeded) switches a rule off."""

    min_side: Count = 256  # px of the shorter side
    # times that a picture may be enlarged to the data set's size (lineart.size)
    max_enlargement: Amount = 0.0
    max_aspect: Amount = 4.0  # long side over short side
    max_flatness: Share = 0.953  # 1 is a single tone; .953 leaves 12 of 255 grey levels
    min_chroma: Amount = 6.0  # grey levels between the channels in the most colorful 1 %: less is monochrome
    min_white_point: Amount = 30.0  # luma of the lightest 1 %: less is too dark to see
    # levels of luma between the darkest and the lightest 1 % of a light picture: less is washed out
    min_contrast: Amount = 24.0
    min_sharpness: Share = 0.16  # of edges, by their width: blurred and enlarged pictures lie below
    # how plainly JPEG's blocks show: quality 10 has 1 and more, 25 from .4 upward
    max_jpeg_blocks: Amount = 0.45
    max_noise: Amount = 2.8  # levels of luma
    max_line_drawing: Share = 0.75  # of what is drawn, that is mere line in one tone
    max_text_page: Share = 0.6  # of the ink, that stands in rows of letters
    max_pixel_art: Share = 0.7  # 1 is enlarged pixels
    # of the picture, that is flat bars along its sides; .5 spares all but boxes on plain ground
    max_border: Share = 1.0
    max_photo: Share = 1.0  # off: how much it looks like a photograph, a hint that fails one time in ten
    min_jpeg_quality: Count = 0  # of the file, 1 to 100; what it went through before shows in max_jpeg_blocks
    # how far a picture may stand from the others in all these numbers, in standard deviations: 4 is far
    max_outlier: Amount = 0.0
    # SQL condition on the picture's columns, such as: rating in ('g','s') and list_contains(tags, '1girl')
    where: str = ""


@dataclass(frozen=True)
class Target:
    """The pages of the data set that pictures are cleaned for."""

    size: int = 512  # px
    fit: Fit = "pad"
