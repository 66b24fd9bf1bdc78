"""CPUs that run threads in virtual time, so that a scheduler can be watched.

A thread is a list of steps, done in order and, where it `repeats`, again and again:

    ("run", ns)    use the CPU           ("sleep", ns)   until later
    ("block",)     until woken           ("yield",)      give way
    ("call", f)    do something
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykern.kernel.sched import Metrics, Schedulable, Scheduler, State
from pykern.kernel.sched.schedulable import LEGAL
from tests.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.sched import PolicyFactory

MS = 1_000_000
TICK_NS = 10 * MS
MANY = 10_000
"""More choices than any test needs before time passes."""

Step = tuple[Any, ...]
FOREVER: list[Step] = [("run", 1 << 60)]


class Thread(Schedulable):
    """A thread of the simulation."""

    def __init__(self, tid: int, steps: list[Step], *, repeat: bool = False, **given: Any) -> None:
        self.tid = tid
        self.name = f"t{tid}"
        self.run_ns = 0
        self.steps = self._walk(steps, repeat)
        for name, value in given.items():
            setattr(self, name, value)

    @staticmethod
    def _walk(steps: list[Step], repeat: bool) -> Iterator[Step]:
        yield from steps
        while repeat:
            yield from steps

    def __repr__(self) -> str:
        return self.name


class Simulation:
    """A scheduler, its CPUs, and everything that must hold at every moment."""

    def __init__(
        self, policy: PolicyFactory, cpus: int = 1, quantum_ns: int = MS, **options: Any
    ) -> None:
        self.clock = VirtualClock()
        self.metrics = Metrics()
        self.scheduler = Scheduler(cpus, policy, self.clock, self.metrics, **options)
        self.scheduler.on_transition = self._note
        self.interrupted: list[int] = []
        self.scheduler.on_resched_ipi = self.interrupted.append
        self.cpus = range(cpus)
        self.quantum_ns = quantum_ns
        self.threads: list[Thread] = []
        self.timeline: list[tuple[int, int, str, str]] = []
        self.ran: list[tuple[int, int, int]] = []

    # --- setting up -------------------------------------------------------------------------

    def spawn(
        self,
        steps: list[Step] | None = None,
        *,
        cpu: int | None = None,
        repeat: bool = False,
        **given: Any,
    ) -> Thread:
        thread = Thread(len(self.threads) + 1, steps or FOREVER, repeat=repeat, **given)
        self.threads.append(thread)
        self.scheduler.add(thread, cpu)
        return thread

    # --- running ----------------------------------------------------------------------------

    def run(self, ns: int) -> None:
        """Let virtual time pass, with a timer tick on every CPU each 10 ms."""
        end = self.clock.now_ns + ns
        while self.clock.now_ns < end:
            self.settle()
            self._pass_time()
            if self.clock.now_ns % TICK_NS == 0:
                for cpu in self.cpus:
                    self.scheduler.tick(cpu)
        self.settle()

    def run_until_done(self, limit_ns: int = 100_000 * MS) -> None:
        while any(thread.state is not State.ZOMBIE for thread in self.threads):
            assert self.clock.now_ns < limit_ns, "threads do not end"
            self.run(TICK_NS)

    def settle(self) -> None:
        """Have every CPU choose until all are content."""
        pending, choices = True, 0
        while pending:
            pending = False
            for cpu in self.cpus:
                while self.scheduler.need_resched(cpu):
                    pending = True
                    choices += 1
                    assert choices < MANY, "CPUs choose for ever"
                    self.scheduler.pick_next(cpu)
                    self._act(cpu)
        self.check()

    def _pass_time(self) -> None:
        running = [(cpu, self.scheduler.current(cpu)) for cpu in self.cpus]
        self.clock.advance(self.quantum_ns)
        for cpu, thread in running:
            if thread is None:
                continue
            self.ran.append((self.clock.now_ns, cpu, thread.tid))
            thread.run_ns -= self.quantum_ns
            if thread.run_ns <= 0 and self.scheduler.current(cpu) is thread:
                self.scheduler.this_cpu = cpu
                self._act(cpu)

    def _act(self, cpu: int) -> None:
        """Do the steps of the running thread until one takes time."""
        thread = self.scheduler.current(cpu)
        while thread is not None and thread.run_ns <= 0 and self.scheduler.current(cpu) is thread:
            kind, *arguments = next(thread.steps, ("exit",))
            if getattr(self, f"_do_{kind}")(cpu, thread, *arguments):
                return

    def _do_run(self, _cpu, thread, ns):
        thread.run_ns = ns

    def _do_sleep(self, cpu, thread, ns):
        self.scheduler.block(cpu, State.SLEEPING)
        self.clock.at(self.clock.now_ns + ns, lambda: self.scheduler.wake(thread))

    def _do_block(self, cpu, _thread):
        self.scheduler.block(cpu, State.BLOCKED)

    def _do_yield(self, cpu, _thread):
        self.scheduler.yield_now(cpu)
        return True

    def _do_call(self, _cpu, _thread, function):
        function()

    def _do_exit(self, _cpu, thread):
        self.scheduler.exit(thread)

    # --- watching ---------------------------------------------------------------------------

    def _note(self, thread: Thread, old: State, new: State) -> None:
        assert LEGAL[old] >> new & 1
        self.timeline.append((self.clock.now_ns, thread.tid, old.name, new.name))

    def check(self) -> None:
        """Every thread is in one place, where it may be, and all time is accounted for."""
        places: dict[Thread, list[str]] = {thread: [] for thread in self.threads}
        for rq in self.scheduler.queues:
            queued = list(rq.policy)
            assert sorted(map(id, queued)) == sorted(map(id, reversed(rq.policy)))
            assert len(queued) == len(rq.policy)
            assert bool(queued) == bool(self.scheduler.waiting & rq.bit)
            for thread in queued:
                assert thread.cpu == rq.cpu
                places[thread].append("queued")
            if rq.current is not None:
                assert rq.current.cpu == rq.cpu
                places[rq.current].append("running")
            idle = rq.current is None and not queued
            assert rq.load == len(queued) + (rq.current is not None)
            masks = [load for load, mask in enumerate(self.scheduler.by_load) if mask & rq.bit]
            assert masks == [rq.load]
            assert bool(self.scheduler.idle & rq.bit) <= idle
        expected = {State.RUNNABLE: ["queued"], State.RUNNING: ["running"]}
        for thread, found in places.items():
            assert found == expected.get(thread.state, []), (thread, thread.state)
            if found:
                assert thread.affinity >> thread.cpu & 1
        self._check_times()

    def _check_times(self) -> None:
        for rq in self.scheduler.queues:
            rq.account(self.clock.now_ns)
            assert rq.times.busy_ns + rq.times.idle_ns == self.clock.now_ns
        busy = sum(rq.times.busy_ns for rq in self.scheduler.queues)
        assert busy == sum(thread.cpu_ns for thread in self.threads)

    def share(self, thread: Thread) -> float:
        """Return the part of one CPU that a thread has had."""
        return thread.cpu_ns / self.clock.now_ns
