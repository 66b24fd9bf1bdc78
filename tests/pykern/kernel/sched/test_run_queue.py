"""Time is charged to whoever had the CPU."""

from __future__ import annotations

from pykern.kernel.sched import POLICIES, CpuTimes
from pykern.kernel.sched.run_queue import RunQueue
from tests.contracts.policy import Thread


def test_time_goes_to_the_thread_or_to_idling():
    rq = RunQueue(2, POLICIES.get("rr")(), CpuTimes(), now_ns=100)
    rq.account(130)
    thread = rq.current = Thread(1)
    rq.account(130)
    rq.account(180)
    assert (rq.times.idle_ns, rq.times.busy_ns, thread.cpu_ns) == (30, 50, 50)
    assert thread.slice_ns == -50
    assert (rq.cpu, rq.bit, rq.load) == (2, 4, 0)
