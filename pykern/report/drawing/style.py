"""What all pictures have in common: colours, units, the way to PNG."""

from __future__ import annotations

import io
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = [
    "Scale",
    "count",
    "figure",
    "finish",
    "grouped",
    "legend",
    "logarithmic",
    "png",
    "quantity",
    "size_scale",
    "styled",
    "time_scale",
]

_DPI = 110
_SETTINGS: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.parse_math": False,
}
# Colours that people with any kind of colour vision tell apart (Okabe and Ito), then their shades.
COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442",
    "#5d3a9b", "#994f00", "#88ccee", "#117733", "#aa4466", "#ddaa77", "#44aa99",
)  # fmt: skip
FREE, REST = "#f2f2f2", "#9a9a9a"


class Scale(NamedTuple):
    """A unit, and how many of the basic ones it has."""

    unit: str
    factor: float


def time_scale(ns: float) -> Scale:
    """Return the unit in which so long a time is a handy number."""
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= factor:
            return Scale(unit, factor)
    return Scale("ns", 1.0)


def size_scale(size: float) -> Scale:
    """Return the unit in which so many bytes are a handy number."""
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << shift:
            return Scale(unit, float(1 << shift))
    return Scale("bytes", 1.0)


@contextmanager
def styled() -> Generator[None]:
    """Draw in the style of these pictures, whatever the user's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def figure(title: str, height: float, width: float = 12.5) -> Figure:
    """Return an empty picture, its size in inches."""
    made = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(made)
    made.suptitle(title, fontsize=13, fontweight="bold", x=0.01, ha="left")
    return made


def finish(axes: Axes, end: float, scale: Scale, *, label: bool) -> None:
    """Give a panel the axis of virtual time, from 0 to `end` in units of its scale."""
    axes.set_xlim(0, end or 1)
    axes.xaxis.set_major_locator(MaxNLocator(12))
    if label:
        axes.set_xlabel(f"virtual time ({scale.unit})")
    else:
        axes.tick_params(labelbottom=False)


def logarithmic(axes: Axes, *, from_zero: bool = False) -> None:
    """Make the vertical axis logarithmic, with plain numbers at it; `from_zero`: 0 is shown."""
    if from_zero:
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(bottom=0)
    else:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def legend(axes: Axes, handles: Sequence[Artist]) -> None:
    """Put a legend into a panel of its own."""
    axes.set_axis_off()
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(-0.05, 1.0)).set_in_layout(False)


def png(made: Figure) -> bytes:
    """Return a picture as PNG; the same one has the same bytes with the same library."""
    out = io.BytesIO()
    made.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def grouped(number: float) -> str:
    """Return a number for people: three digits that count, thousands apart."""
    if number >= 100 or number == int(number):
        return f"{number:,.0f}"
    return f"{number:.{max(0, 2 - math.floor(math.log10(number)))}f}"


def quantity(value: float, scale: Scale) -> str:
    """Return a number and its unit."""
    return f"{grouped(value / scale.factor)} {scale.unit}"


def count(number: int, what: str) -> str:
    """Return how many there are of something."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
