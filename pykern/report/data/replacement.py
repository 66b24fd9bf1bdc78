"""What each page replacement would make of the references of a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.mm.replacement import REPLACEMENTS, Optimal, count_faults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.report.data.files import PageTrace, Program

__all__ = ["OPTIMAL", "Curves", "curves"]

OPTIMAL = "optimal"
_LEAST_PAGES, _LEAST_REUSE = 8, 1.5
"""Pages, and references to each on the average; of fewer there is nothing to choose."""
_MOST_REFERENCES = 40_000
_POINTS = 20


@dataclass(frozen=True)
class Curves:
    """The faults of one trace.

    Attributes
    ----------
    program : name, and how many processes had this very trace
    references, pages : of the trace; pages are different ones
    left_out : references at its end that were not looked at
    frames : numbers of frames, ascending; with the last one every page has its own
    faults : policy → faults with each number of frames
    """

    program: str
    references: int
    pages: int
    left_out: int
    frames: tuple[int, ...]
    faults: dict[str, tuple[int, ...]]


def curves(trace: PageTrace, most: int = 4) -> list[Curves]:
    """Return the curves of the programs with most references, each different trace once."""
    alike: dict[tuple[int, ...], list[Program]] = {}
    for program in trace.programs:
        alike.setdefault(program.pages, []).append(program)
    enough = [
        pages
        for pages in alike
        if len(set(pages)) >= _LEAST_PAGES and _LEAST_REUSE * len(set(pages)) <= len(pages)
    ]
    longest = sorted(enough, key=lambda pages: (-len(pages), alike[pages][0].pid))[:most]
    return [_curves(pages, alike[pages]) for pages in longest]


def _curves(every: tuple[int, ...], programs: Sequence[Program]) -> Curves:
    pages = every[:_MOST_REFERENCES]
    different = len(set(pages))
    frames = _numbers_of_frames(different)
    faults = {
        name: tuple(count_faults(make(), pages, n) for n in frames)
        for name, make in REPLACEMENTS.items()
    }
    faults[OPTIMAL] = tuple(count_faults(Optimal(pages), pages, n) for n in frames)
    first = programs[0]
    what = f"{first.name} ({first.pid})"
    if len(programs) > 1:
        what = f"{first.name} ({len(programs)} processes alike)"
    return Curves(what, len(pages), different, len(every) - len(pages), frames, faults)


def _numbers_of_frames(pages: int) -> tuple[int, ...]:
    """Return numbers from 2 to all pages, at equal distances."""
    return tuple(sorted({2 + (pages - 2) * i // (_POINTS - 1) for i in range(_POINTS)}))
