"""What the ground of the demo place looks like from above, in 8-bit counts."""

from __future__ import annotations

from dataclasses import dataclass

Color = tuple[int, int, int, int]
"""Red, green, blue, near infrared: 0..255."""


@dataclass(frozen=True, slots=True)
class Surface:
    """How one kind of ground is painted. Contrasts are shares of the brightness.

    Attributes:
        color: its mean.
        spread: how much two patches of it differ.
        mottle: contrast of the blotches that are 10 to 100 m wide.
        grain: contrast from pixel to pixel.
        green: how strongly blotches are of plant growth: they turn red down and near infrared up.
        rows: distance between sowing or mowing rows, in metres; 0 for none.
        row_contrast: of these rows.
        tramlines: contrast of the wheel tracks that a sprayer leaves every 18 m.
        streaks: contrast between one pass of a machine and the next.
    """

    color: Color
    spread: float = 0.05
    mottle: float = 0.05
    grain: float = 0.04
    green: float = 0.0
    rows: float = 0.0
    row_contrast: float = 0.0
    tramlines: float = 0.0
    streaks: float = 0.0


SURFACES = {
    # Ground that belongs to no class.
    "rough": Surface((112, 116, 82, 142), 0.06, 0.13, 0.10, 0.9),
    "verge": Surface((122, 125, 84, 150), 0.04, 0.09, 0.08, 0.6),
    "bank": Surface((84, 98, 64, 142), 0.04, 0.14, 0.12, 0.9),
    "reed": Surface((108, 108, 70, 132), 0.04, 0.12, 0.13, 0.6),
    "sand": Surface((190, 177, 148, 196), 0.03, 0.07, 0.05),
    "lawn": Surface((98, 117, 72, 172), 0.13, 0.09, 0.07, 0.9),
    "orchard": Surface((106, 116, 76, 154), 0.09, 0.10, 0.09, 0.9),
    "beds": Surface((124, 108, 84, 128), 0.10, 0.08, 0.08, 0.5, rows=2.4, row_contrast=0.14),
    "yard": Surface((152, 145, 134, 152), 0.07, 0.08, 0.06),
    # Water.
    "water": Surface((46, 64, 62, 22), 0.02, 0.06, 0.018),
    # Forest: the floor between the crowns.
    "forest": Surface((40, 49, 35, 92), 0.04, 0.10, 0.10, 0.6),
    # Cropland.
    "wheat": Surface((97, 120, 71, 178), 0.08, 0.07, 0.035, 1.1, 1.9, 0.030, 0.16, 0.020),
    "barley": Surface((166, 154, 99, 166), 0.06, 0.06, 0.035, 0.8, 1.9, 0.030, 0.14, 0.022),
    "sunflower": Surface((152, 149, 70, 192), 0.06, 0.07, 0.050, 0.8, 2.1, 0.050, 0.0, 0.025),
    "maize": Surface((122, 125, 86, 156), 0.07, 0.09, 0.040, 1.3, 2.6, 0.080, 0.0, 0.035),
    "beet": Surface((73, 105, 60, 200), 0.07, 0.08, 0.045, 1.0, 2.2, 0.060, 0.10, 0.025),
    "potato": Surface((91, 103, 70, 160), 0.06, 0.08, 0.045, 1.1, 2.4, 0.100, 0.12, 0.030),
    "stubble": Surface((190, 173, 130, 186), 0.05, 0.06, 0.035, 0.4, 3.4, 0.050, 0.05, 0.050),
    "soil": Surface((145, 127, 103, 150), 0.06, 0.10, 0.035, 0.2, 2.8, 0.040, 0.0, 0.045),
    "ploughed": Surface((113, 98, 82, 116), 0.07, 0.12, 0.050, 0.1, 2.2, 0.075, 0.0, 0.040),
    # Grassland.
    "meadow": Surface((95, 114, 69, 184), 0.07, 0.10, 0.060, 1.3, 0.0, 0.0, 0.0, 0.010),
    "mown": Surface((127, 140, 86, 184), 0.05, 0.07, 0.045, 0.8, 6.5, 0.055, 0.0, 0.040),
    "pasture": Surface((107, 118, 77, 168), 0.07, 0.12, 0.080, 1.4),
    # Roads.
    "asphalt": Surface((119, 119, 118, 120), 0.05, 0.05, 0.035),
    "lane": Surface((134, 132, 127, 134), 0.05, 0.06, 0.045),
    "track": Surface((170, 157, 132, 168), 0.05, 0.08, 0.070),
    "worn": Surface((126, 130, 92, 152), 0.03, 0.10, 0.10, 0.5),
    "edge": Surface((176, 176, 172, 172), 0.01, 0.06, 0.04),
    "line": Surface((214, 214, 208, 206), 0.01, 0.02, 0.02),
    "kerb": Surface((182, 178, 170, 178), 0.02, 0.03, 0.03),
    # Buildings; roofs bring their own colours.
    "building": Surface((140, 120, 108, 140), 0.0, 0.04, 0.035),
    "white": Surface((222, 223, 224, 214), 0.01, 0.0, 0.02),
    "red": Surface((160, 48, 44, 150), 0.02, 0.0, 0.02),
    "blue": Surface((58, 74, 116, 80), 0.02, 0.0, 0.02),
    "black": Surface((50, 51, 54, 52), 0.02, 0.0, 0.02),
}

CROPS = {
    "wheat": 0.26, "barley": 0.13, "sunflower": 0.09, "maize": 0.15, "beet": 0.10, "potato": 0.05,
    "stubble": 0.07, "soil": 0.09, "ploughed": 0.06,
}  # fmt: skip
"""The share of each crop among fields."""

ROOFS: tuple[Color, ...] = (
    (166, 92, 68, 158),
    (150, 80, 62, 146),
    (178, 110, 82, 170),
    (128, 76, 64, 130),
    (108, 98, 94, 110),
    (92, 92, 96, 96),
    (154, 116, 92, 150),
)
SHEET_ROOFS: tuple[Color, ...] = ((176, 176, 174, 176), (150, 156, 160, 152), (128, 134, 128, 132))
