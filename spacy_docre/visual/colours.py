"""Colours that tell clusters apart."""

import colorsys

# After Okabe and Ito's and Paul Tol's palettes for the colour-blind, darkened where a colour had
# less contrast than 3:1 to white. Neighbours differ in lightness, too.
BASE = (
    "#0072b2",
    "#d55e00",
    "#332288",
    "#008f68",
    "#a6447f",
    "#a67300",
    "#2488b8",
    "#882255",
    "#6b7a00",
    "#5f5f5f",
)
# How much of a cluster's colour is in the background of its mentions.
TINT = 0.18
INK = "#16181d"
PAPER = "#ffffff"
# Of a line to the background (Web Content Accessibility Guidelines 2.2, 1.4.11).
MIN_CONTRAST = 3.0

# The golden section of the circle of hues: each round of the palette falls into the gaps of the
# former ones.
_HUE_STEP = 0.381966
_LIGHTNESS = (0.0, -0.05, 0.04)


def cluster_colour(number: int) -> str:
    """The colour of a cluster; after the first ten, hue and lightness of the palette are shifted.

    number (int): The cluster's number, from 0.
    RETURNS (str): The colour, as "#rrggbb".
    """
    turn, index = divmod(number, len(BASE))
    if not turn:
        return BASE[index]
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(BASE[index]))
    hue = (hue + turn * _HUE_STEP / 3) % 1
    lightness = min(max(lightness + _LIGHTNESS[turn % 3], 0.16), 0.4)
    saturation = max(saturation, 0.25 + 0.05 * (turn % 5))
    colour = _hex(colorsys.hls_to_rgb(hue, lightness, saturation))
    while contrast(colour, PAPER) < MIN_CONTRAST:
        lightness -= 0.02
        colour = _hex(colorsys.hls_to_rgb(hue, lightness, saturation))
    return colour


def mix(colour: str, other: str, share: float) -> str:
    """Mix two colours as CSS's `color-mix(in srgb, ...)` does.

    colour (str): A colour, as "#rrggbb".
    other (str): Another.
    share (float): How much of the first one, in 0..1.
    RETURNS (str): The mixture.
    """
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return _hex(tuple(share * a + (1 - share) * b for a, b in pairs))


def contrast(colour: str, other: str) -> float:
    """The contrast of two colours (Web Content Accessibility Guidelines 2.2, 1.4.3).

    colour (str): A colour, as "#rrggbb".
    other (str): Another.
    RETURNS (float): Their contrast, in 1..21.
    """
    high, low = sorted((_luminance(colour), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[float, float, float]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red / 255, green / 255, blue / 255


def _hex(channels: tuple[float, ...]) -> str:
    return "#" + bytes(round(255 * c) for c in channels).hex()
