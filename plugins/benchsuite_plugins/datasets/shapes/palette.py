"""Colours, RGB, 0 to 255."""

from __future__ import annotations

Colour = tuple[int, int, int]

WHITE: Colour = (246, 246, 240)
DARK: Colour = (44, 46, 54)
GLASS: Colour = (172, 214, 232)

BRIGHT: tuple[Colour, ...] = (
    (224, 62, 62),
    (52, 116, 206),
    (44, 160, 90),
    (246, 178, 42),
    (142, 82, 186),
    (240, 122, 44),
    (36, 168, 176),
    (232, 96, 150),
)
"""What toys are painted in."""

WARM: tuple[Colour, ...] = (BRIGHT[0], *BRIGHT[3:])
"""What starfish and flowers share."""

CLOTHES: tuple[Colour, ...] = (*BRIGHT, (240, 240, 236), (64, 68, 82))
SKINS: tuple[Colour, ...] = ((250, 208, 170), (226, 172, 126), (178, 122, 84), (118, 78, 54))
HAIR: tuple[Colour, ...] = (
    (62, 40, 28),
    (28, 26, 30),
    (196, 142, 62),
    (150, 74, 36),
    (190, 190, 190),
)
METALS: tuple[Colour, ...] = (
    (158, 170, 184),
    (196, 176, 120),
    (120, 150, 170),
    (176, 120, 92),
    (140, 176, 150),
    (226, 92, 72),
    (92, 126, 206),
    (236, 186, 60),
)
LEAVES: tuple[Colour, ...] = ((58, 132, 58), (84, 148, 52), (44, 112, 76), (198, 132, 44))


def toned(colour: Colour, eighths: int) -> Colour:
    """Darker below 8 eighths, lighter above."""
    red, green, blue = (min(255, c * eighths // 8) for c in colour)
    return red, green, blue
