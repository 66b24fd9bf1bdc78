"""The picture of a schedule: processors, who waits, what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from pykern.report.data.schedule import IDLE
from pykern.report.drawing import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pykern.report.data.schedule import Lane, Schedule
    from pykern.report.drawing.style import Scale

__all__ = ["draw"]

_MOST_ARROWS, _MOST_LABELS = 300, 24
_MOST_HEIGHT = 5.5
_LANE = 0.8
_GREYS = ("#8a8a8a", "#5f5f5f", "#b0b0b0", "#747474", "#9d9d9d")
"""Of tasks that have no colour of their own: neighbours differ."""
_FAINTEST = 0.35
_ARROW = {"arrowstyle": "->", "color": "black", "lw": 0.8, "shrinkA": 0, "shrinkB": 0}
_ACTIVITIES = ("system calls", "interrupts", "faults", "messages sent")


def draw(name: str, found: Schedule, detail: Schedule) -> Figure:
    """Draw a schedule.

    Parameters
    ----------
    detail : the part of it that is drawn once more, larger
    """
    lanes = min(0.7 + 0.4 * len(found.lanes), _MOST_HEIGHT)
    heights = [lanes, lanes, 1.6, 2.2]
    made = style.figure(f"Schedule: {name}", max(sum(heights) + 1.8, 8.5))
    grid = made.add_gridspec(4, 2, height_ratios=heights, width_ratios=[5, 1.15])
    whole, zoom, waiting, activity = (made.add_subplot(grid[row, 0]) for row in range(4))
    scale = style.time_scale(found.end)
    _draw_lanes(whole, found, scale)
    whole.set_title(
        "Which task each processor ran, and how much of the time any "
        "(paler: idle in between; white: idle)"
    )
    _mark(whole, detail, scale)
    finer = style.time_scale(detail.end - detail.begin)
    _draw_lanes(zoom, detail, finer)
    zoom.set_title("The same where tasks changed most often (arrows: migrations)")
    zoom.set_xlabel(f"virtual time ({finer.unit})")
    zoom.ticklabel_format(axis="x", useOffset=False)
    _draw_waiting(waiting, found, scale)
    lines = _draw_activity(activity, found, scale)
    for panel in (whole, waiting, activity):
        style.finish(panel, found.end / scale.factor, scale, label=panel is activity)
    style.legend(made.add_subplot(grid[:3, 1]), _legend(found))
    style.legend(made.add_subplot(grid[3, 1]), lines)
    return made


def _mark(axes: Axes, detail: Schedule, scale: Scale) -> None:
    """Show where the larger picture comes from."""
    for edge in (detail.begin, detail.end):
        axes.axvline(edge / scale.factor, color="#555555", lw=0.8, ls=":")


def _draw_lanes(axes: Axes, found: Schedule, scale: Scale) -> None:
    begin, end = found.begin / scale.factor, found.end / scale.factor
    for row, lane in enumerate(found.lanes):
        axes.imshow(
            _picture(lane),
            extent=(begin, end, row + _LANE / 2, row - _LANE / 2),
            aspect="auto",
            interpolation="nearest",
        )
    rows = {lane.cpu: row for row, lane in enumerate(found.lanes)}
    _draw_migrations(axes, found, rows, scale)
    labels = [f"CPU {lane.cpu}" for lane in found.lanes]
    if not found.begin:
        shares = [found.busy[lane.cpu] / found.end for lane in found.lanes]
        labels = [f"{label} {share:4.0%}" for label, share in zip(labels, shares, strict=True)]
    step = -(-len(labels) // _MOST_LABELS)
    axes.set_yticks(range(0, len(labels), step), labels[::step])
    axes.set_xlim(begin, end)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(12))


def _picture(lane: Lane) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return a row of pixels: the colour of a task, the paler the less of the time it ran."""
    palette = np.array([to_rgb(colour) for colour in (*style.COLOURS, *_GREYS, "white")])
    task, own = np.array(lane.task), len(style.COLOURS)
    index = np.where(task < own, task, own + task % len(_GREYS))
    index[task == IDLE] = len(palette) - 1
    busy = np.array(lane.busy)
    weight = np.where(busy > 0, _FAINTEST + (1 - _FAINTEST) * busy, 0.0)[:, None]
    return np.asarray((palette[index] * weight + (1 - weight))[None, :, :])


def _draw_migrations(axes: Axes, found: Schedule, rows: dict[int, int], scale: Scale) -> None:
    step = -(-len(found.migrations) // _MOST_ARROWS) or 1
    for move in found.migrations[::step]:
        if move.from_cpu in rows and move.to_cpu in rows:
            when = move.end / scale.factor
            axes.annotate(
                "",
                xy=(when, rows[move.to_cpu]),
                xytext=(when, rows[move.from_cpu]),
                arrowprops=_ARROW,
            )


def _legend(found: Schedule) -> list[Patch]:
    shown = found.tasks[: len(style.COLOURS)]
    handles = [
        Patch(color=colour, label=f"{task}  {style.quantity(ns, style.time_scale(ns))}")
        for colour, (task, ns) in zip(style.COLOURS, shown, strict=False)
    ]
    others = found.tasks[len(shown) :]
    if others:
        ns = sum(ns for _, ns in others)
        total = style.quantity(ns, style.time_scale(ns))
        label = f"{style.count(len(others), 'other')}  {total}"
        handles.append(Patch(color=_GREYS[0], label=label))
    if found.migrations:
        label = f"→ {style.count(len(found.migrations), 'migration')}"
        handles.append(Patch(color="none", label=label))
    return handles


def _draw_waiting(axes: Axes, found: Schedule, scale: Scale) -> None:
    times = [0.0, *(time / scale.factor for time, _ in found.waiting), found.end / scale.factor]
    lengths = [0, *(length for _, length in found.waiting)]
    lengths.append(lengths[-1])
    axes.fill_between(times, lengths, step="post", color=style.COLOURS[0], alpha=0.35, lw=0)
    axes.step(times, lengths, where="post", color=style.COLOURS[0], lw=0.8)
    axes.set_ylim(0, max(*lengths, 1) * 1.1)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_ylabel("tasks")
    axes.set_title(f"Tasks that wait in run queues (at most {max(lengths):,} at once)")


def _draw_activity(axes: Axes, found: Schedule, scale: Scale) -> list[Line2D]:
    # Wider parts than those of the lanes: a line of them is to be read, not guessed at.
    group = max(found.parts // 150, 1)
    width = found.part * group
    lines = []
    for place, (colour, what) in enumerate(zip(style.COLOURS, _ACTIVITIES, strict=False)):
        counts = np.array(found.activity.get(what, (0,) * found.parts))
        counts = np.add.reduceat(counts, np.arange(0, len(counts), group))
        times = np.arange(len(counts) + 1) * width / scale.factor
        axes.stairs(counts, times, color=colour, lw=2.6 - 0.5 * place, baseline=None)
        lines.append(Line2D([], [], color=colour, lw=2, label=f"{what}  {int(counts.sum()):,}"))
    style.logarithmic(axes, from_zero=True)
    axes.set_ylabel("number, logarithmic")
    axes.set_title(
        f"What happened how often, in each {style.quantity(width, style.time_scale(width))}"
    )
    return lines
