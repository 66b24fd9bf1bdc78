"""One CPU's part of the scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern.kernel.sched.metrics import CpuTimes
    from pykern.kernel.sched.policy import Policy
    from pykern.kernel.sched.schedulable import Schedulable

__all__ = ["RunQueue"]


class RunQueue:
    """The threads of one CPU.

    Attributes
    ----------
    cpu, bit : its number, and the mask with that bit set
    policy : orders those that are queued
    current : the thread that runs; None: idle, or the last one has left and none is chosen yet
    load : how many threads want this CPU, the running one among them
    loaded : whose context the CPU holds, None: that of the idle loop; lags behind `current`
    need_resched : `pick_next` is to be called as soon as preemption allows
    yielding : the running thread gives way of its own will
    preempt_count : how many reasons there are not to switch
    charged_ns : up to when time has been accounted
    switches_to_tell, interrupts_to_tell : how many more go into the log
    """

    __slots__ = (
        "bit",
        "charged_ns",
        "cpu",
        "current",
        "interrupts_to_tell",
        "load",
        "loaded",
        "need_resched",
        "policy",
        "preempt_count",
        "switches_to_tell",
        "times",
        "yielding",
    )

    def __init__(self, cpu: int, policy: Policy, times: CpuTimes, now_ns: int) -> None:
        self.cpu = cpu
        self.bit = 1 << cpu
        self.policy = policy
        self.times = times
        self.current: Schedulable | None = None
        self.load = 0
        self.loaded: Schedulable | None = None
        self.need_resched = False
        self.yielding = False
        self.preempt_count = 0
        self.switches_to_tell = 0
        self.interrupts_to_tell = 0
        self.charged_ns = now_ns

    def account(self, now_ns: int) -> None:
        """Charge the time since the last account to whoever had it."""
        ran_ns = now_ns - self.charged_ns
        if not ran_ns:
            return
        self.charged_ns = now_ns
        current = self.current
        if current is None:
            self.times.idle_ns += ran_ns
            return
        self.times.busy_ns += ran_ns
        current.cpu_ns += ran_ns
        self.policy.charge(current, ran_ns)
