"""Processes as terminals see them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pykern.kernel.jobs import Jobs
from pykern.kernel.task.sigaction import SIG_IGN, SigAction, SignalActions, bit


def _process(pid, pgid, sid, parent=None):
    return SimpleNamespace(
        pid=pid, pgid=pgid, sid=sid, parent=parent, actions=SignalActions(), alive=True
    )


@pytest.fixture
def family():
    """A shell (1), a job of two (2, 3), and a process of another session (9)."""
    shell = _process(1, 1, 1)
    job = [_process(n, 2, 1, shell) for n in (2, 3)]
    return [shell, *job, _process(9, 9, 9, shell)]


@pytest.fixture
def kernel(family):
    made = SimpleNamespace(sent=[])
    made.processes = SimpleNamespace(group=lambda pgid: (p for p in family if p.pgid == pgid))
    made.processes.orphaned = lambda pgid: pgid == 9
    made.signals = SimpleNamespace(send_group=lambda pgid, info: made.sent.append((pgid, info)))
    thread = SimpleNamespace(process=family[1], blocked=0)
    made.clock = SimpleNamespace(this_cpu=SimpleNamespace(current=thread))
    return made


def test_the_caller_is_the_process_of_the_processor_that_acts(kernel):
    jobs = Jobs(kernel)
    caller = jobs.caller()
    assert (caller.pid, caller.pgid, caller.sid) == (2, 2, 1)
    kernel.clock.this_cpu.current.process = None
    assert jobs.caller() is None


def test_signals_go_to_the_group(kernel):
    Jobs(kernel).signal(2, 7)
    assert [(pgid, info.signal) for pgid, info in kernel.sent] == [(7, 2)]


def test_ignored_and_blocked_are_the_same_to_a_terminal(kernel, family):
    jobs, thread = Jobs(kernel), kernel.clock.this_cpu.current
    assert not jobs.ignores(22)
    thread.blocked = bit(22)
    assert jobs.ignores(22)
    thread.blocked = 0
    family[1].actions.table[22] = SigAction(SIG_IGN)
    assert jobs.ignores(22)


def test_sessions_have_at_most_one_terminal(kernel):
    jobs, tty = Jobs(kernel), object()
    assert jobs.terminal(1) is None
    jobs.set_controlling(1, tty)
    assert jobs.terminal(1) is tty
    jobs.set_controlling(1, None)
    assert jobs.terminal(1) is None


def test_groups_are_found_in_their_sessions(kernel):
    jobs = Jobs(kernel)
    assert (jobs.session_of(2), jobs.session_of(5)) == (1, None)
    assert (jobs.orphaned(2), jobs.orphaned(9)) == (False, True)
