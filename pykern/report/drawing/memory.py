"""The picture of memory: by owner over time, by place over time, and at its fullest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator

from pykern.report.data.memory import FREE, OTHERS
from pykern.report.drawing import style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pykern.report.data.memory import Memory
    from pykern.report.drawing.style import Scale

__all__ = ["draw"]

_ROOM = 1.25
# What is no process has one colour in every picture.
_KERNEL = {
    "firmware and loader": "#555555",
    "framebuffer": "#7d7d7d",
    "kernel image": "#1b1b3a",
    "kernel heap": "#3a5a8c",
    "kernel stacks": "#7aa6d6",
    "page tables": "#c0392b",
    "page cache": "#2e8b57",
    "shared memory": "#8fd19e",
    "shared after fork": "#b9d7a8",
    "kernel, other": "#b0bec5",
    OTHERS: "#9a7b4f",
    FREE: style.FREE,
}
_PROCESSES = (
    "#e69f00",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#f0e442",
    "#5d3a9b",
    "#44aa99",
    "#994f00",
)


def colours(owners: tuple[str, ...]) -> list[str]:
    """Return a colour for each owner."""
    processes = iter(_PROCESSES * (len(owners) // len(_PROCESSES) + 1))
    return [_KERNEL[owner] if owner in _KERNEL else next(processes) for owner in owners]


def draw(name: str, found: Memory) -> Figure:
    """Draw the memory of a run."""
    made = style.figure(f"Memory by owner: {name}", 10.5)
    grid = made.add_gridspec(3, 2, height_ratios=[3.2, 3.2, 2.6], width_ratios=[5, 1.15])
    upper, middle = made.add_subplot(grid[0, 0]), made.add_subplot(grid[1, 0])
    lower = made.add_subplot(grid[2, :])
    end = max(found.times[-1], 1)
    scale, size = style.time_scale(end), style.size_scale(sum(row[0] for row in found.sizes))
    handles = _draw_sizes(upper, found, scale)
    style.legend(made.add_subplot(grid[:2, 1]), handles)
    _draw_places(middle, found, scale, size)
    for panel in (upper, middle):
        style.finish(panel, end / scale.factor, scale, label=panel is middle)
    _draw_fullest(lower, found, scale)
    return made


def _draw_sizes(axes: Axes, found: Memory, scale: Scale) -> list[Artist]:
    times = [time / scale.factor for time in found.times]
    bytes_ = np.array(found.sizes)
    total = bytes_.sum(axis=0).max()
    used = max((total - bytes_[-1]).max(), *found.swapped)
    top = min(total, used * _ROOM)
    size = style.size_scale(top)
    sizes = bytes_ / size.factor
    axes.stackplot(times, sizes, colors=colours(found.owners), lw=0, step="post")
    handles: list[Artist] = [
        Patch(facecolor=colour, label=owner, edgecolor="#bbbbbb", lw=0.5)
        for owner, colour in zip(found.owners, colours(found.owners), strict=True)
    ]
    handles.reverse()
    if any(found.swapped):
        swapped = np.array(found.swapped) / size.factor
        handles += axes.step(
            times, swapped, where="post", color="black", ls="--", lw=1.4, label="in swap space"
        )
    axes.set_ylim(0, max(top, 1) / size.factor)
    axes.set_ylabel(size.unit)
    whole = style.quantity(total, style.size_scale(total))
    above = "" if top == total else ", all above is free"
    readings = style.count(len(found.times), "reading")
    axes.set_title(f"How much each owner had of {whole} ({readings}{above})")
    return handles


def _draw_places(axes: Axes, found: Memory, scale: Scale, size: Scale) -> None:
    times = np.array(found.times) / scale.factor
    # The last reading is as wide as a line: nothing is known of what came behind it.
    edges = np.append(times, times[-1] + max(times[-1], 1) / 500)
    cells = np.array(found.cells).T
    places = np.arange(cells.shape[0] + 1) * found.cell_size / size.factor
    axes.pcolormesh(
        edges,
        places,
        cells,
        cmap=ListedColormap(colours(found.owners)),
        vmin=-0.5,
        vmax=len(found.owners) - 0.5,
        rasterized=True,
    )
    axes.grid(visible=False)
    axes.set_ylim(0, places[-1])
    axes.set_ylabel(f"place in RAM ({size.unit})")
    part = style.size_scale(found.cell_size)
    axes.set_title(
        "Where in physical memory it was "
        f"(each {style.quantity(found.cell_size, part)} show who had most of what was used)"
    )


def _draw_fullest(axes: Axes, found: Memory, scale: Scale) -> None:
    sizes = {owner: sum(row) for owner, row in found.on_nodes.items()}
    order = [owner for owner in found.owners if sizes.get(owner)]
    values = [sizes[owner] for owner in order]
    shade = dict(zip(found.owners, colours(found.owners), strict=True))
    axes.bar(
        range(len(order)),
        [value / 1024 for value in values],
        color=[shade[owner] for owner in order],
        edgecolor="#bbbbbb",
        lw=0.5,
    )
    style.logarithmic(axes)
    axes.yaxis.set_major_locator(LogLocator(numticks=8))
    axes.set_ylim(1, max(values, default=1) / 1024 * 6)
    for x, value in enumerate(values):
        text = style.quantity(value, style.size_scale(value)).replace(" ", "\n")
        axes.text(x, value / 1024 * 1.15, text, ha="center", va="bottom", fontsize=8.5)
    axes.set_xticks(range(len(order)), [_wrapped(owner) for owner in order], fontsize=8.5)
    axes.set_xlim(-0.6, len(order) - 0.4)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel("KiB, logarithmic")
    axes.set_title(f"At its fullest, at {style.quantity(found.times[found.fullest], scale)}")


def _wrapped(owner: str) -> str:
    """Return a name on lines that stand beside each other."""
    return owner.replace(" ", "\n").replace("framebuffer", "frame-\nbuffer")
