"""Runs of free pages against a set of pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.mm.page_runs import PageRuns

PAGE, PAGES = 4096, 24


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 6), st.integers(0, PAGES))))
def test_runs_are_what_a_set_of_pages_says(steps):
    runs, free, taken = PageRuns([0], [PAGES * PAGE]), set(range(PAGES)), []
    for takes, count, which in steps:
        if takes or not taken:
            laddr = runs.take(count)
            fits = [p for p in range(PAGES) if free >= set(range(p, p + count))]
            assert laddr == (fits[0] * PAGE if fits else None)
            if laddr is not None:
                taken.append((laddr, count))
                free -= set(range(laddr // PAGE, laddr // PAGE + count))
        else:
            laddr, count = taken.pop(which % len(taken))
            runs.give(laddr, count)
            free |= set(range(laddr // PAGE, laddr // PAGE + count))
        assert runs.free == len(free) * PAGE
        lengths = [
            n for n in range(PAGES + 1) for p in range(PAGES) if free >= set(range(p, p + n))
        ]
        assert runs.largest == max(lengths) * PAGE
        assert runs.starts == sorted(runs.starts)
        assert all(start < end for start, end in zip(runs.starts, runs.ends, strict=True))


@pytest.mark.parametrize(("laddr", "pages"), [(0, 1), (0, 3), (2 * PAGE, 2), (PAGE, 9)])
def test_what_is_free_cannot_be_given(laddr, pages):
    runs = PageRuns([0, 3 * PAGE], [PAGE, 5 * PAGE])
    with pytest.raises(KernelBug, match="are free already"):
        runs.give(laddr, pages)
