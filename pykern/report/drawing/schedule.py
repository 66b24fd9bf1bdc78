"""The picture of a schedule: processors, who waits, what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb
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

_MOST_ARROWS = 400
_LANE = 0.8
_FAINTEST = 0.35
_MARKS = {"system calls": "-", "interrupts": "-", "faults": "-", "messages sent": "-"}


def draw(name: str, found: Schedule) -> Figure:
    """Draw a schedule."""
    lanes = max(len(found.lanes), 1)
    heights = [0.9 + 0.42 * min(lanes, 32), 1.5, 2.2]
    made = style.figure(f"Schedule: {name}", sum(heights) + 1.2)
    axes = made.subplots(3, 1, sharex=True, height_ratios=heights)
    scale = style.time_scale(found.end)
    _draw_lanes(axes[0], found, scale)
    _draw_waiting(axes[1], found, scale)
    _draw_activity(axes[2], found, scale)
    for panel in axes:
        style.finish(panel, found.end / scale.factor, scale, label=panel is axes[-1])
    return made


def _draw_lanes(axes: Axes, found: Schedule, scale: Scale) -> None:
    colours = dict(enumerate(style.COLOURS))
    end = found.end / scale.factor
    for row, lane in enumerate(found.lanes):
        low, high = row - _LANE / 2, row + _LANE / 2
        axes.imshow(
            _picture(lane, colours),
            extent=(0, end, high, low),
            aspect="auto",
            interpolation="nearest",
        )
    rows = {lane.cpu: row for row, lane in enumerate(found.lanes)}
    _draw_migrations(axes, found, rows, scale)
    busy = [found.busy[lane.cpu] / found.end for lane in found.lanes]
    labels = [f"CPU {lane.cpu}  {share:4.0%}" for lane, share in zip(found.lanes, busy, strict=True)]
    step = -(-len(labels) // 32)
    axes.set_yticks(range(0, len(labels), step), labels[::step])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(visible=False)
    axes.set_title(
        "Which task each processor ran, and its share of time with any "
        "(paler: idle in between; white: idle)"
    )
    axes.legend(handles=_legend(found, scale), loc="upper left", bbox_to_anchor=(1.0, 1.02))


def _picture(lane: Lane, colours: dict[int, str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return a row of pixels: the colour of a task, the paler the less of the time it ran."""
    palette = np.array([to_rgb(colour) for colour in (*colours.values(), style.REST, "white")])
    rest = len(colours)
    task = np.array(lane.task)
    index = np.where(task == IDLE, rest + 1, np.minimum(task, rest))
    busy = np.array(lane.busy)
    weight = np.where(busy > 0, _FAINTEST + (1 - _FAINTEST) * busy, 0.0)[:, None]
    return np.asarray((palette[index] * weight + (1 - weight))[None, :, :])


def _draw_migrations(axes: Axes, found: Schedule, rows: dict[int, int], scale: Scale) -> None:
    if not found.migrations:
        return
    step = -(-len(found.migrations) // _MOST_ARROWS)
    for move in found.migrations[::step]:
        if move.from_cpu in rows and move.to_cpu in rows:
            axes.annotate(
                "",
                xy=(move.end / scale.factor, rows[move.to_cpu]),
                xytext=(move.end / scale.factor, rows[move.from_cpu]),
                arrowprops={"arrowstyle": "->", "color": "black", "lw": 0.8, "shrinkA": 0, "shrinkB": 0},
                annotation_clip=False,
            )


def _legend(found: Schedule, scale: Scale) -> list[Patch]:
    shown = found.tasks[: len(style.COLOURS)]
    handles = [
        Patch(color=colour, label=f"{task}  {style.grouped(ns / scale.factor)} {scale.unit}")
        for colour, (task, ns) in zip(style.COLOURS, shown, strict=False)
    ]
    others = found.tasks[len(shown) :]
    if others:
        total = style.grouped(sum(ns for _, ns in others) / scale.factor)
        handles.append(Patch(color=style.REST, label=f"{len(others)} others  {total} {scale.unit}"))
    if found.migrations:
        shown_all = len(found.migrations) <= _MOST_ARROWS
        note = "" if shown_all else ", not all drawn"
        handles.append(Patch(color="none", label=f"→ {len(found.migrations):,} migrations{note}"))
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


def _draw_activity(axes: Axes, found: Schedule, scale: Scale) -> None:
    # Wider parts than those of the lanes: a line of them is to be read, not guessed at.
    group = max(found.parts // 150, 1)
    width = found.part * group / scale.factor
    for colour, what in zip(style.COLOURS, _MARKS, strict=False):
        if what not in found.activity:
            continue
        counts = np.array(found.activity[what])
        counts = np.add.reduceat(counts, np.arange(0, len(counts), group))
        times = np.arange(len(counts) + 1) * width
        label = f"{what}  {int(counts.sum()):,}"
        axes.stairs(counts, times, color=colour, lw=1.3, label=label, baseline=None)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"in {style.grouped(width)} {scale.unit}")
    axes.set_title("What happened how often")
    if found.activity:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02))
