"""The picture of nodes: who took frames where, how far that is, and what lies on each node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pykern.report.data.memory import FREE
from pykern.report.drawing import style
from pykern.report.drawing.memory import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pykern.report.data.memory import Memory
    from pykern.report.data.numa import Traffic

__all__ = ["draw"]

_MOST_WRITTEN = 16
_LEAST_SHOWN = 0.005


def draw(name: str, found: Traffic, memory: Memory | None) -> Figure:
    """Draw the traffic between nodes; with `memory` also what lies where at its fullest."""
    total = found.local + found.remote
    title = f"NUMA traffic: {name}, {found.local:,} of {total:,} frames local"
    rows = 2 if found.history or memory else 1
    made = style.figure(title, 4.8 * rows)
    grid = made.add_gridspec(rows, 2)
    labels = [f"node {node}" for node in found.nodes]
    frames = made.add_subplot(grid[0, 0])
    _draw_matrix(frames, np.array(found.frames), labels, "Greens")
    frames.set_title("Frames taken")
    frames.set_ylabel("by processors of")
    frames.set_xlabel("on")
    if len(found.distances) == len(labels) and all(len(r) == len(labels) for r in found.distances):
        distances = made.add_subplot(grid[0, 1])
        _draw_matrix(distances, np.array(found.distances), labels, "Purples")
        distances.set_title("Distances, as the SLIT has them (10: local)")
        distances.set_ylabel("from")
        distances.set_xlabel("to")
    if found.history:
        _draw_history(made.add_subplot(grid[1, 0]), found)
    if memory is not None:
        _draw_residents(made.add_subplot(grid[1, 1]), memory)
    return made


def _draw_matrix(
    axes: Axes,
    values: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    labels: list[str],
    colour_map: str,
) -> None:
    # By logarithm, and dark for much: a few remote frames show beside thousands of local ones.
    shade = np.log1p(values.astype(float))
    axes.imshow(shade, cmap=colour_map, vmin=0, vmax=max(shade.max(), 1) * 1.3)
    axes.grid(visible=False)
    axes.set_xticks(range(len(labels)), labels, rotation=0 if len(labels) <= 8 else 90)
    axes.set_yticks(range(len(labels)), labels)
    if len(labels) > _MOST_WRITTEN:
        return
    for (row, column), value in np.ndenumerate(values):
        dark = shade[row, column] > 0.75 * max(shade.max(), 1)
        axes.text(
            column,
            row,
            f"{value:,}",
            ha="center",
            va="center",
            fontsize=12 if len(labels) <= 8 else 8,
            color="white" if dark else "black",
        )


def _draw_history(axes: Axes, found: Traffic) -> None:
    end = max(found.history[-1][0], 1)
    scale = style.time_scale(end)
    times = [0.0, *(time / scale.factor for time, _, _ in found.history)]
    for label, column, colour in (("local", 1, style.COLOURS[2]), ("remote", 2, style.COLOURS[5])):
        counts = [0, *(reading[column] for reading in found.history)]
        axes.step(times, counts, where="post", color=colour, lw=2, label=f"{label}  {counts[-1]:,}")
    style.logarithmic(axes, from_zero=True)
    axes.set_ylabel("frames, logarithmic")
    axes.set_title("Frames taken so far")
    axes.legend(loc="center right")
    style.finish(axes, end / scale.factor, scale, label=True)


def _draw_residents(axes: Axes, memory: Memory) -> None:
    total = sum(map(sum, memory.on_nodes.values()))
    size = style.size_scale(total / len(memory.nodes))
    least = total * _LEAST_SHOWN
    shown = [o for o, row in memory.on_nodes.items() if sum(row) >= least and o != FREE]
    rest = memory.on_nodes.keys() - {*shown, FREE}
    shades = dict(zip(memory.owners, colours(memory.owners), strict=True))
    bars = [(o, shades[o], memory.on_nodes[o]) for o in memory.owners if o in shown]
    others = [sum(column) for column in zip(*(memory.on_nodes[o] for o in rest), strict=True)]
    bars += [
        (f"others, each less than {_LEAST_SHOWN:.1%}", "#c0392b", tuple(others)),
        (FREE, shades[FREE], memory.on_nodes.get(FREE, ())),
    ]
    left = np.zeros(len(memory.nodes))
    for label, colour, sizes in bars:
        if sizes:
            width = np.array(sizes) / size.factor
            axes.barh(range(len(left)), width, left=left, color=colour, label=label)
            left += width
    axes.set_yticks(range(len(left)), [f"node {node}" for node in memory.nodes])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(size.unit)
    axes.set_title("What lies on each node at the fullest moment")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, fontsize=8)
