"""The states of a thread and the ways between them (MEL-21, MEL-23)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.sched import POLICIES, State
from pykern.kernel.sched.policies import TaskPriority
from pykern.kernel.sched.schedulable import LEGAL as MASKS
from tests.pykern.kernel.sched.simulation import MS, Simulation, Thread


def simulate(cpus: int = 1) -> Simulation:
    return Simulation(POLICIES.get("priority3"), cpus)


LEGAL = {
    State.NEW: {State.RUNNABLE, State.ZOMBIE},
    State.RUNNABLE: {State.RUNNING, State.ZOMBIE},
    State.RUNNING: {
        State.RUNNABLE,
        State.SLEEPING,
        State.BLOCKED,
        State.STOPPED,
        State.ZOMBIE,
    },
    State.SLEEPING: {State.RUNNABLE, State.ZOMBIE},
    State.BLOCKED: {State.RUNNABLE, State.ZOMBIE},
    State.STOPPED: {State.RUNNABLE, State.ZOMBIE},
    State.ZOMBIE: set(),
}


def test_the_timeline_shows_only_legal_transitions():
    """MEL-23: Ready → Running → Ready, Sleeping, Blocked → Ready; Dead at the end."""
    sim = simulate(cpus=2)
    for number in range(6):
        steps = [("run", 12 * MS), ("sleep", number * MS + MS), ("yield",), ("run", 5 * MS)]
        sim.spawn(steps)
    waiter = sim.spawn([("block",), ("run", MS)])
    sim.run(30 * MS)
    sim.scheduler.wake(waiter)
    sim.run_until_done()
    seen = {(State[old], State[new]) for _, _, old, new in sim.timeline}
    assert all(new in LEGAL[old] for old, new in seen)
    for thread in sim.threads:
        steps = [(old, new) for _, tid, old, new in sim.timeline if tid == thread.tid]
        assert steps[0][0] == "NEW"
        assert steps[-1][1] == "ZOMBIE"
        assert all(before[1] == after[0] for before, after in pairwise(steps))


@pytest.mark.parametrize("old", State)
def test_every_other_transition_is_a_bug_of_the_kernel(old):
    """MEL-23: an illegal one raises."""
    for action in ("add", "wake", "exit"):
        sim = simulate()
        thread = Thread(1, [("run", MS)])
        thread.state = old
        allowed = {
            "add": old is State.NEW,
            "wake": old not in {State.NEW, State.ZOMBIE},
            "exit": old is not State.ZOMBIE,
        }
        if not allowed[action]:
            with pytest.raises(KernelBug, match=r"t1"):
                getattr(sim.scheduler, action)(thread)
            assert thread.state is old


@pytest.mark.parametrize("state", [State.NEW, State.RUNNABLE, State.RUNNING, State.ZOMBIE])
def test_a_thread_waits_in_no_other_state(state):
    sim = simulate()
    sim.spawn()
    sim.run(MS)
    with pytest.raises(KernelBug, match=f"cannot wait as {state.name}"):
        sim.scheduler.block(0, state)


def test_an_idle_cpu_has_nobody_to_block():
    with pytest.raises(KernelBug, match="CPU 0 is idle"):
        simulate().scheduler.block(0, State.BLOCKED)


def test_a_thread_can_be_ended_wherever_it_stands():
    sim = simulate()
    running, queued = sim.spawn(), sim.spawn()
    asleep = sim.spawn([("sleep", 1000 * MS)], priority=TaskPriority.HIGH)
    new = Thread(99, [])
    sim.run(MS)
    for thread in (running, queued, asleep, new):
        sim.scheduler.exit(thread)
        assert thread.state is State.ZOMBIE
    sim.settle()
    assert sim.scheduler.current(0) is None


def test_the_table_is_that_of_the_picture():
    assert [{new for new in State if MASKS[old] >> new & 1} for old in State] == list(
        LEGAL.values()
    )
