"""The picture of page replacement: faults against frames, a line for each policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from pykern.report.drawing import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pykern.report.data.replacement import Curves

__all__ = ["draw"]

_LINES = {
    "optimal": ("#000000", "--", "o"),
    "lru": ("#0072b2", "-", "s"),
    "clock": ("#009e73", "-", "^"),
    "fifo": ("#e69f00", "-", "v"),
    "random": ("#cc79a7", "-", "D"),
    "lifo": ("#d55e00", "-", "x"),
}
_NAMES = {"optimal": "optimal (knows the future)", "lifo": "lifo (as without replacement)"}


def draw(name: str, found: Sequence[Curves]) -> Figure:
    """Draw the curves of some traces, one panel each. Precondition: there is one."""
    made = style.figure(f"Page replacement: {name}", 0.8 + 4.6 * len(found))
    panels = made.subplots(len(found), 1, squeeze=False)[:, 0]
    for axes, curves in zip(panels, found, strict=True):
        _draw_one(axes, curves)
    return made


def _draw_one(axes: Axes, curves: Curves) -> None:
    # What comes first lies on top, and none hides another that has the same values.
    for place, (policy, faults) in enumerate(sorted(curves.faults.items(), key=_order)):
        colour, line, mark = _LINES.get(policy, (style.REST, "-", "."))
        axes.plot(
            curves.frames,
            faults,
            color=colour,
            ls=line,
            marker=mark,
            ms=7 - 0.6 * place,
            lw=3.4 - 0.45 * place,
            label=_NAMES.get(policy, policy),
            fillstyle="none" if mark != "x" else "full",
        )
    axes.axhline(curves.pages, color="#777777", lw=1, ls=":", label="one fault for each page")
    axes.set_yscale("log")
    axes.set_ylim(curves.pages * 0.8, max(map(max, curves.faults.values())) * 1.25)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_minor_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.tick_params(axis="y", which="minor", labelsize=7)
    axes.set_xlim(0, curves.frames[-1] * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("frames for the program's data")
    axes.set_ylabel("page faults, logarithmic")
    rest = f", {curves.left_out:,} more left out" if curves.left_out else ""
    axes.set_title(
        f"{curves.program}: {curves.references:,} references to {curves.pages:,} pages{rest}"
    )
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02))


def _order(item: tuple[str, tuple[int, ...]]) -> int:
    names = list(_LINES)[::-1]
    return names.index(item[0]) if item[0] in names else -1
