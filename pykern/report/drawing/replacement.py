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

# Colour, mark and width, those in front first: where several have the same values, all are seen.
_LINES = {
    "optimal": ("#000000", "o", 1.2),
    "lru": ("#0072b2", "s", 1.8),
    "clock": ("#009e73", "^", 3.6),
    "fifo": ("#e69f00", "v", 6.0),
    "random": ("#cc79a7", "D", 2.4),
    "lifo": ("#d55e00", "X", 4.5),
}
_FEW_TIMES = 5
_NAMES = {"optimal": "optimal (knows the future)", "lifo": "lifo (as without replacement)"}


def draw(name: str, found: Sequence[Curves]) -> Figure:
    """Draw the curves of some traces, one panel each. Precondition: there is one."""
    made = style.figure(f"Page replacement: {name}", 0.8 + 4.6 * len(found))
    panels = made.subplots(len(found), 1, squeeze=False)[:, 0]
    for axes, curves in zip(panels, found, strict=True):
        _draw_one(axes, curves)
    return made


def _draw_one(axes: Axes, curves: Curves) -> None:
    for depth, policy in enumerate(sorted(curves.faults, key=_depth)):
        colour, mark, width = _LINES.get(policy, (style.REST, ".", 2.0))
        axes.plot(
            curves.frames,
            curves.faults[policy],
            color=colour,
            ls="--" if policy == "optimal" else "-",
            marker=mark,
            ms=4 + width / 1.5,
            mec="white",
            mew=0.6,
            lw=width,
            zorder=10 - depth,
            label=_NAMES.get(policy, policy),
        )
    axes.axhline(curves.pages, color="#777777", lw=1, ls=":", label="one fault for each page")
    _scale(axes, curves.pages, max(map(max, curves.faults.values())))
    axes.set_xlim(0, curves.frames[-1] * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("frames for the program's data")
    rest = f", {curves.left_out:,} more left out" if curves.left_out else ""
    axes.set_title(
        f"{curves.program}: {curves.references:,} references to {curves.pages:,} pages{rest}"
    )
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02))


def _scale(axes: Axes, least: int, most: int) -> None:
    """Scale the axis of faults: by logarithm where the most are many times the least."""
    if most < least * _FEW_TIMES:
        axes.set_ylim(0, most * 1.1)
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.set_ylabel("page faults")
        return
    style.logarithmic(axes)
    axes.set_ylim(least * 0.85, most * 1.2)
    axes.set_ylabel("page faults, logarithmic")


def _depth(policy: str) -> int:
    names = list(_LINES)
    return names.index(policy) if policy in names else len(names)
