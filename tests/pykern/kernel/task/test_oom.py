"""Who is killed when memory is short, and who waits; tests/pykern/kernel/test_hostile_programs.py
shows it with real programs.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pykern.kernel.core.log import Log
from pykern.kernel.task.oom import OutOfMemory
from pykern.kernel.task.sigaction import Signal


class Fake:
    """A system whose processes are (number, job, pages)."""

    def __init__(self, *processes):
        made = {
            pid: SimpleNamespace(
                pid=pid,
                pgid=pgid,
                name=f"p{pid}",
                alive=True,
                space=SimpleNamespace(pages=SimpleNamespace(resident=pages)),
            )
            for pid, pgid, pages in processes
        }
        self.lines, self.killed, self.waited = [], [], []
        self.processes = SimpleNamespace(by_pid=made, first=made[1])
        self.log = Log(self.lines.append)
        self.scheduler = SimpleNamespace(yield_now=self.waited.append)
        self.signals = SimpleNamespace(send=self._send, kick=lambda _thread: None)

    def _send(self, process, info):
        assert info.signal == Signal.SIGKILL
        self.killed.append(process.pid)


@pytest.fixture
def thread():
    return SimpleNamespace(cpu=3)


def test_the_job_with_most_pages_is_killed_as_a_whole(thread):
    """MIC-06: many small processes of one job count together."""
    system = Fake((1, 1, 900), (2, 2, 50), (3, 3, 20), (4, 3, 20), (5, 3, 20))
    assert OutOfMemory(system).relieve(thread)
    assert system.killed == [3, 4, 5]
    assert system.waited == [3]
    words = "out of memory: job 3 (p3) has most, 3 processes with 240 kB: killed by SIGKILL"
    assert system.lines == [f"[MM] WARN: {words}\n"]


def test_nobody_else_is_killed_while_they_die(thread):
    system = Fake((1, 1, 9), (2, 2, 50), (3, 3, 20))
    memory = OutOfMemory(system)
    assert memory.relieve(thread)
    assert memory.relieve(thread)
    assert system.killed == [2]
    system.processes.by_pid[2].alive = False
    assert memory.relieve(thread)
    assert system.killed == [2, 3]


def test_the_first_process_is_left_alone(thread):
    system = Fake((1, 1, 9))
    assert not OutOfMemory(system).relieve(thread)
    assert (system.killed, system.waited) == ([], [])
