"""The contract of every replacement policy: what `pykern.kernel.mm.replacement` promises.

A test module derives from `Pages`, says in `make` how its policy comes to be, and calls
`check_faults` with any trace.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pykern.kernel.mm.replacement import Optimal, count_faults

TRACES = st.lists(st.integers(0, 7), max_size=40)
pages = st.integers(0, 30)


class Pages(RuleBasedStateMachine):
    """No page is lost, none is made up, whatever happens in whatever order."""

    def __init__(self):
        super().__init__()
        self.policy = self.make()
        self.known = set()

    def make(self):
        raise NotImplementedError

    @rule(page=pages)
    def admit_or_touch(self, page):
        if page in self.known:
            self.policy.touch(page)
        else:
            self.policy.admit(page)
            self.known.add(page)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def forget(self, data):
        page = data.draw(st.sampled_from(sorted(self.known)))
        self.policy.forget(page)
        self.known.remove(page)

    @rule()
    def victim(self):
        if self.known:
            self.known.remove(self.policy.victim())
            return
        with pytest.raises(LookupError):
            self.policy.victim()

    @invariant()
    def knows_what_came_and_did_not_go(self):
        assert len(self.policy) == len(self.known)
        assert all((page in self.policy) == (page in self.known) for page in range(31))


def check_faults(make, trace, frames):
    """MIC-05: never better than the optimal policy, never worse than a fault each time."""
    faults = count_faults(make(trace), trace, frames)
    assert faults == count_faults(make(trace), trace, frames)
    assert count_faults(Optimal(trace), trace, frames) <= faults <= len(trace)
    assert faults >= len(set(trace))
    if len(set(trace)) <= frames:
        assert faults == len(set(trace))
