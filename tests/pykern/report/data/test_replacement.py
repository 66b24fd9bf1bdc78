"""Curves of page replacement, over the references that the machine has seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.kernel.mm.replacement import REPLACEMENTS
from pykern.report.data.files import PageTrace, Program
from pykern.report.data.replacement import OPTIMAL, curves

TRACES = st.lists(st.integers(0, 12), min_size=30, max_size=120)


def trace(*programs):
    return PageTrace(
        "run", tuple(Program(i, "p", tuple(pages)) for i, pages in enumerate(programs, 1)), True
    )


@given(TRACES)
def test_no_policy_is_better_than_the_optimal_one(pages):
    """MIC-05: and none worse than a fault for each reference; with all frames there is one each."""
    for found in curves(trace(pages)):
        assert found.pages == len(set(pages))
        assert found.frames[-1] == found.pages
        for faults in found.faults.values():
            assert len(faults) == len(found.frames)
            assert faults[-1] == found.pages
            pairs = zip(found.faults[OPTIMAL], faults, strict=True)
            assert all(best <= count <= len(pages) for best, count in pairs)


def test_each_different_trace_is_there_once():
    alike, other = [*range(10)] * 4, [*range(20)] * 2
    found = curves(trace(alike, other, alike, [1, 2] * 50, [*range(100)]))
    assert [c.program for c in found] == ["p (2 processes alike)", "p (2)"]
    assert set(found[0].faults) == {*REPLACEMENTS.names(), OPTIMAL}


def test_a_long_trace_is_cut_and_says_so():
    (found,) = curves(trace([*range(10)] * 4100))
    assert (found.references, found.left_out) == (40_000, 1000)


def references(pages, rounds, hot=24, phase=400):
    """Return what userland/demos/microkernel/working_set.c does, by its own description."""
    state, first = 1, 0

    def draw():
        nonlocal state
        state = (state * 1664525 + 1013904223) % (1 << 32)
        return state >> 8

    yield from range(pages)
    for number in range(rounds):
        if number % phase == 0:
            first = draw() % pages
        anywhere, near = draw() % pages, draw() % hot
        yield (first + near) % pages if draw() % 16 else anywhere


@pytest.mark.slow
def test_the_trace_is_what_the_program_does(microkernel):
    """MIC-05: page by page, five times."""
    programs = [p for p in microkernel.read("page_trace").programs if p.name == "working_set"]
    assert len(programs) == len(REPLACEMENTS.names())
    every = list(references(128, 8000))
    expected = [page for i, page in enumerate(every) if not i or every[i - 1] != page]
    for program in programs:
        (base,) = (p for p in set(program.pages) if {*range(p, p + 128)} <= {*program.pages})
        seen = [page - base for page in program.pages if 0 <= page - base < 128]
        assert seen == expected


@pytest.mark.slow
def test_replacement_saves_what_the_kernel_says(microkernel):
    """MIC-05: at least 37 % fewer faults than the baseline, with about as many frames."""
    found = {c.program.split()[0]: c for c in curves(microkernel.read("page_trace"))}
    assert set(found) == {"page_fault", "working_set"}
    curve = found["working_set"]
    assert "5 processes alike" in curve.program
    for frames, lru, lifo in zip(
        curve.frames, curve.faults["lru"], curve.faults["lifo"], strict=True
    ):
        if 30 <= frames <= 110:
            assert lru <= 0.63 * lifo
