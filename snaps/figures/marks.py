"""Marks at frequencies in maps of the input, e.g. formants of vowels and bursts of plosives from the literature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from snaps.errors import InputError, check_choice, check_number
from snaps.figures.axes import drawn, frequency_place
from snaps.schema import FREQUENCY

Speakers = Literal["men", "women", "children"]

#: Dark; with a white outline it is visible on red and on blue.
MARK = "0.1"


@dataclass(frozen=True)
class Mark:
    """A frequency, or a band of frequencies, to mark in a map.

    Attributes
    ----------
    frequency : float
        In Hz; the lower edge of a band.
    label : str
        Text at the mark; the frequency if empty.
    upto : float or None
        Upper edge of a band, in Hz.

    Raises
    ------
    InputError
        If a frequency is not above 0, or the upper edge of a band is not above the lower one.
    """

    frequency: float
    label: str = ""
    upto: float | None = None

    def __post_init__(self) -> None:
        check_number("frequency", self.frequency, above=0)
        if self.upto is not None:
            check_number("upto", self.upto, above=self.frequency)


#: Frequencies in Hz, or marks, by the group whose map shows them.
Marks = Mapping[str, Sequence[float | Mark]]

#: Average formants F1, F2 and F3 in Hz of ten American English vowels, by TIMIT's symbols, of men, women and children:
#: G. E. Peterson and H. L. Barney, "Control methods used in a study of the vowels", JASA 24 (1952), Table II.
PETERSON_BARNEY: Mapping[str, tuple[tuple[int, int, int], ...]] = {
    "iy": ((270, 2290, 3010), (310, 2790, 3310), (370, 3200, 3730)),
    "ih": ((390, 1990, 2550), (430, 2480, 3070), (530, 2730, 3600)),
    "eh": ((530, 1840, 2480), (610, 2330, 2990), (690, 2610, 3570)),
    "ae": ((660, 1720, 2410), (860, 2050, 2850), (1010, 2320, 3320)),
    "aa": ((730, 1090, 2440), (850, 1220, 2810), (1030, 1370, 3170)),
    "ao": ((570, 840, 2410), (590, 920, 2710), (680, 1060, 3180)),
    "uh": ((440, 1020, 2240), (470, 1160, 2680), (560, 1410, 3310)),
    "uw": ((300, 870, 2240), (370, 950, 2670), (430, 1170, 3260)),
    "ah": ((640, 1190, 2390), (760, 1400, 2780), (850, 1590, 3360)),
    "er": ((490, 1350, 1690), (500, 1640, 1960), (560, 1820, 2160)),
}

#: Where the energy of a burst is concentrated, in Hz: M. Halle, G. W. Hughes and J.-P. A. Radley, "Acoustic properties
#: of stop consonants", JASA 29 (1957). For t and d they say "above 4000 Hz"; 8000 is where speech at 16 kHz ends.
BURSTS: Mapping[str, tuple[Mark, ...]] = {
    **dict.fromkeys("pb", (Mark(500, "burst", upto=1500),)),
    **dict.fromkeys("td", (Mark(4000, "burst", upto=8000),)),
    **dict.fromkeys("kg", (Mark(1500, "burst", upto=4000),)),
}


def formants(speakers: Speakers = "men", *, number: int = 2) -> dict[str, tuple[Mark, ...]]:
    """Average formants of American English vowels, as marks for `plot_snap`.

    Parameters
    ----------
    speakers : {"men", "women", "children"}
        Speakers over whom the formants are averaged.
    number : int
        Number of formants of each vowel, 1 to 3.

    Returns
    -------
    dict of str to tuple of Mark
        Marks by TIMIT's symbols, without diphthongs and reduced vowels (Peterson and Barney 1952, Table II).

    Raises
    ------
    InputError
        If `speakers` or `number` is not accepted.

    Examples
    --------
    >>> [(mark.label, mark.frequency) for mark in formants()["iy"]]
    [('F1', 270), ('F2', 2290)]
    """
    check_choice("speakers", speakers, get_args(Speakers))
    check_choice("number", number, (1, 2, 3))
    whose = get_args(Speakers).index(speakers)
    return {
        vowel: tuple(Mark(hertz, f"F{order}") for order, hertz in enumerate(averages[whose][:number], start=1))
        for vowel, averages in PETERSON_BARNEY.items()
    }


def draw_marks(ax: Axes, values: xr.DataArray, *, marks: Marks | None, group: str, small: bool = False) -> None:
    """Draw the marks of one group: dotted lines for frequencies, brackets for bands; those off the axis are left out.

    Marks are `small` in panels.

    Raises
    ------
    InputError
        If a mark is not a frequency, or the units of the map have no frequencies.
    """
    if not marks or group not in marks:
        return
    if FREQUENCY not in values.coords:
        raise InputError(f"the marks of {group!r} are frequencies, and the units of this map have none")
    frequency = values[FREQUENCY].values
    across = ax.get_yaxis_transform()
    cased = [withStroke(linewidth=1.8 if small else 2.4, foreground="white", alpha=0.75)]
    style: dict[str, Any] = {"color": MARK, "path_effects": cased}
    for mark in (mark if isinstance(mark, Mark) else Mark(mark) for mark in marks[group]):
        low = frequency_place(frequency, mark.frequency)
        if low is None:
            continue
        if mark.upto is None:
            ax.axhline(low, linewidth=0.7, linestyle=(0, (1, 1.5)), label="mark", **style)
            at, aligned = (0.985, low), "bottom"
        else:
            # A band reaches the edge of the axis where its own lies beyond.
            top = frequency_place(frequency, mark.upto)
            high = len(frequency) - 0.5 if top is None else top
            bracket = ([0.955, 0.975, 0.975, 0.955], [low, low, high, high])
            ax.plot(*bracket, transform=across, linewidth=0.9, label="mark", **style)
            at, aligned = (0.945, (low + high) / 2), "center"
        text = ax.text(
            *at, drawn(mark.label or f"{mark.frequency:g}"), transform=across, ha="right", va=aligned, **style
        )
        text.set(parse_math=False, fontsize=5.5 if small else 8)
