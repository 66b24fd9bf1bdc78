"""Who runs where, and for how long: the scheduler's rows of the checklist, in virtual time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.log import STYLES, Log
from pykern.kernel.sched import POLICIES, Metrics, Scheduler, State
from pykern.kernel.sched.policies import TaskPriority
from tests.call_count import calls_of
from tests.pykern.kernel.sched.simulation import MS, TICK_NS, Simulation, Thread
from tests.virtual_time import VirtualClock

PRIORITY3 = POLICIES.get("priority3")
FAIR = POLICIES.get("fair")
REALTIME = POLICIES.get("realtime")


def simulate(policy=PRIORITY3, cpus=1, **options) -> Simulation:
    return Simulation(policy, cpus, **options)


# --- one CPU -------------------------------------------------------------------------------------


def test_busy_loops_share_a_cpu_100_ticks_a_second():
    """MEL-18: 10 ms slices at 100 Hz; MEL-19: equal time ± 1 slice."""
    sim = simulate()
    threads = [sim.spawn() for _ in range(4)]
    sim.run(1000 * MS)
    assert sim.metrics.timer_ticks == 100
    times = [thread.cpu_ns for thread in threads]
    assert sum(times) == 1000 * MS
    assert max(times) - min(times) <= TICK_NS
    slices = [tid for _, _, tid in sim.ran]
    assert all(len(set(slices[at : at + 10])) == 1 for at in range(0, 1000, 10))


def test_turns_stay_equal_wherever_the_ticks_fall():
    """A thread that starts between two ticks gains and loses nothing in the long run."""
    sim = simulate()
    sim.run(3 * MS)
    threads = [sim.spawn() for _ in range(3)]
    sim.spawn([("run", 4 * MS), ("sleep", 33 * MS)], repeat=True, priority=TaskPriority.HIGH)
    sim.run(3000 * MS)
    times = [thread.cpu_ns for thread in threads]
    assert max(times) - min(times) <= 2 * TICK_NS


def test_the_high_task_is_always_chosen():
    """MEL-11: three levels; a higher one that can run does, at every moment."""
    sim = simulate(quantum_ns=MS)
    low, normal, high = (
        sim.spawn([("run", 7 * MS), ("sleep", nap * MS)], repeat=True, priority=priority)
        for priority, nap in (
            (TaskPriority.LOW, 1),
            (TaskPriority.NORMAL, 9),
            (TaskPriority.HIGH, 20),
        )
    )
    runnable: list[dict[int, bool]] = []
    for _ in range(500):
        sim.settle()
        current = sim.scheduler.current(0)
        ready = [t for t in (low, normal, high) if t.state in {State.RUNNABLE, State.RUNNING}]
        runnable.append({t.tid: True for t in ready})
        if ready:
            assert current.priority == max(t.priority for t in ready)
        sim.run(MS)
    assert any(len(ready) == 3 for ready in runnable)
    assert low.preemptions > 0
    assert high.preemptions == 0


def test_a_more_urgent_thread_preempts_when_it_wakes_and_not_a_tick_later():
    sim = simulate()
    sim.spawn(priority=TaskPriority.NORMAL)
    urgent = sim.spawn([("sleep", 13 * MS), ("run", MS)], priority=TaskPriority.HIGH)
    sim.run(20 * MS)
    assert [at for at, _, tid in sim.ran if tid == urgent.tid] == [14 * MS]


def test_a_preempted_thread_has_the_rest_of_its_slice_first():
    sim = simulate()
    first, second = sim.spawn(priority=5), sim.spawn(priority=5)
    sim.spawn([("sleep", 2 * MS), ("run", MS)], priority=TaskPriority.HIGH)
    sim.run(10 * MS)
    order = [tid for _, _, tid in sim.ran]
    assert order == [first.tid] * 2 + [3] + [first.tid] * 7
    sim.run(5 * MS)
    assert sim.ran[-1][2] == second.tid


def test_yield_lets_an_equal_go_first():
    sim = simulate()
    order = []
    for name in "ab":
        steps = [("call", lambda name=name: order.append(name)), ("yield",)] * 3
        sim.spawn(steps)
    sim.run_until_done()
    assert order == ["a", "b"] * 3
    assert sim.metrics.preemptions == 0


def test_a_yield_is_over_when_it_is_done():
    sim = simulate()
    for _ in range(2):
        sim.spawn([("yield",), ("run", 100 * MS)])
    sim.run(100 * MS)
    assert sim.metrics.preemptions == 10


# --- sleep and wake ------------------------------------------------------------------------------


@pytest.mark.parametrize("ticks", [1, 5, 100])
def test_a_sleep_of_n_ticks_takes_n_ticks_and_less_than_two_more(ticks):
    """MEL-14: wakes at tick ≥ t0+n and < t0+n+2; sleep_count and wake_count."""
    sim = simulate()
    sim.spawn(priority=TaskPriority.HIGH, steps=[("run", 3 * MS)])
    awake_at: list[int] = []
    start = 3 * MS // TICK_NS
    sim.spawn([("sleep", ticks * TICK_NS), ("call", lambda: awake_at.append(sim.clock.now_ns))])
    sim.run_until_done()
    tick = awake_at[0] // TICK_NS
    assert start + ticks <= tick < start + ticks + 2
    assert (sim.metrics.sleep_count, sim.metrics.wake_count) == (1, 1)


def test_a_blocked_thread_waits_for_its_wake_up_and_counts_as_no_sleep():
    sim = simulate()
    blocked = sim.spawn([("block",), ("run", MS)])
    sim.run(50 * MS)
    assert blocked.state is State.BLOCKED
    assert sim.scheduler.wake(blocked)
    assert not sim.scheduler.wake(blocked)
    sim.run_until_done()
    assert blocked.cpu_ns == MS
    assert blocked.sleep_ns == blocked.slept_ns == 50 * MS
    assert sim.metrics.sleep_count == sim.metrics.wake_count == 0


# --- preemption control --------------------------------------------------------------------------


def test_no_switch_while_preemption_is_disabled():
    """MEL-17: not across many ticks, and only the outermost enable ends it."""
    sim = simulate()
    holder, _ = sim.spawn(), sim.spawn()
    sim.run(MS)
    sim.scheduler.preempt_disable(0)
    sim.scheduler.preempt_disable(0)
    switches = sim.metrics.ctx_switches
    sim.spawn(priority=TaskPriority.HIGH)
    sim.run(200 * MS)
    assert sim.scheduler.pick_next(0) is holder
    assert not sim.scheduler.preempt_enable(0)
    sim.run(200 * MS)
    assert {tid for _, _, tid in sim.ran} == {holder.tid}
    assert sim.metrics.ctx_switches == switches
    assert sim.scheduler.preempt_enable(0)
    sim.run(MS)
    assert sim.scheduler.current(0).priority == TaskPriority.HIGH


def test_preempt_enable_needs_a_disable():
    with pytest.raises(KernelBug, match="CPU 0 without"):
        simulate().scheduler.preempt_enable(0)


@pytest.mark.parametrize("state", [State.SLEEPING, State.BLOCKED, State.STOPPED, State.ZOMBIE])
def test_no_thread_leaves_its_cpu_with_preemption_disabled(state):
    sim = simulate()
    thread = sim.spawn()
    sim.run(MS)
    sim.scheduler.preempt_disable(0)
    text = f"{state.name} with preemption disabled 1 times on CPU 0"
    with pytest.raises(KernelBug, match=text):
        _leave(sim, thread, state)
    assert thread.state is State.RUNNING


def _leave(sim, thread, state):
    if state is State.ZOMBIE:
        sim.scheduler.exit(thread)
    else:
        sim.scheduler.block(0, state)


# --- several CPUs --------------------------------------------------------------------------------


def test_a_cpu_goes_off_line_and_comes_back():
    sim = simulate(cpus=2)
    threads = [sim.spawn() for _ in range(4)]
    pinned = sim.spawn(affinity=0b10)
    sim.run(20 * MS)
    sim.scheduler.set_online(1, online=False)
    start = len(sim.ran)
    sim.run(200 * MS)
    assert {cpu for _, cpu, _ in sim.ran[start:]} == {0}
    assert {tid for _, _, tid in sim.ran[start:]} == {t.tid for t in (*threads, pinned)}
    with pytest.raises(ValueError, match="last one on line"):
        sim.scheduler.set_online(0, online=False)
    sim.scheduler.set_online(1, online=True)
    sim.run(200 * MS)
    assert all(rq.load >= 2 for rq in sim.scheduler.queues)


def test_cpus_come_on_line_one_by_one():
    """As application processors do: no thread goes where nobody would run it."""
    sim = simulate(cpus=3, online=0b001)
    threads = [sim.spawn() for _ in range(3)]
    sim.run(50 * MS)
    assert {cpu for _, cpu, _ in sim.ran} == {0}
    sim.scheduler.set_online(2, online=True)
    sim.run(50 * MS)
    assert sorted(thread.cpu for thread in threads) in ([0, 0, 2], [0, 2, 2])


# --- inter-processor interrupts ------------------------------------------------------------------


def test_another_cpu_is_told_by_an_interrupt():
    """MEL-05: the line in the log, once per wish, and none to oneself."""
    lines: list[str] = []
    log = Log(lines.append, style=STYLES.get("mello"))
    sim = simulate(cpus=2, log=log)
    sim.scheduler.narrate(switches=1, interrupts=1)
    sim.scheduler.this_cpu = 0
    sim.spawn(cpu=1, name="B")
    sim.spawn(cpu=1, name="C", priority=TaskPriority.HIGH)
    sim.spawn(cpu=0, name="A")
    assert sim.interrupted == [1]
    assert sim.metrics.resched_ipis == 1
    sim.settle()
    assert lines == [
        "[SCHED] send RESCHED IPI → core1\n",
        "[SCHED][core0] run A\n",
        "[SCHED][core1] run C\n",
    ]
    sim.run(500 * MS)
    assert len(lines) == 3


def test_a_less_urgent_thread_interrupts_nobody():
    sim = simulate(cpus=2)
    for cpu in (0, 1):
        sim.spawn(cpu=cpu, priority=TaskPriority.HIGH)
    sim.settle()
    sim.interrupted.clear()
    sim.spawn(cpu=1, priority=TaskPriority.LOW)
    assert sim.interrupted == []


# --- what is counted -----------------------------------------------------------------------------


def test_a_known_workload_has_known_figures():
    """MEL-16: two busy threads and one that sleeps ten times, for one second."""
    sim = simulate()
    a, b = sim.spawn(), sim.spawn()
    sleeper = sim.spawn([("sleep", 100 * MS)] * 10, priority=TaskPriority.HIGH)
    sim.run(1000 * MS)
    metrics = sim.metrics
    assert metrics.timer_ticks == 100
    assert (metrics.sleep_count, metrics.wake_count) == (10, 10)
    assert metrics.ctx_switches == a.switches + b.switches + sleeper.switches
    assert sleeper.switches == 11
    # A turn ends with each of the ticks, but for those where the sleeper came between.
    assert metrics.preemptions == a.preemptions + b.preemptions
    assert 99 <= metrics.preemptions <= 110
    assert metrics.migrations == metrics.resched_ipis == 0
    assert metrics.cpus[0].busy_ns == 1000 * MS
    assert metrics.cpus[0].idle_ns == 0


def test_times_of_a_thread():
    sim = simulate()
    first, second = sim.spawn([("run", 30 * MS)]), sim.spawn([("sleep", 20 * MS), ("run", MS)])
    sim.run(100 * MS)
    assert first.cpu_ns == 30 * MS
    assert second.cpu_ns == MS
    assert second.sleep_ns == 20 * MS
    assert second.wait_ns + first.wait_ns > 0
    assert sim.metrics.cpus[0].idle_ns == 69 * MS


# --- many, any order, twice ----------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES.names())
def test_1000_tasks_on_8_cpus_run_and_finish(policy):
    sim = Simulation(POLICIES.get(policy), 8, quantum_ns=5 * MS)
    sim.check = lambda: None
    for number in range(1000):
        sim.spawn(
            [("run", 5 * MS), ("sleep", number % 7 * MS), ("run", 5 * MS)], priority=number % 5
        )
    sim.run_until_done()
    assert sum(thread.cpu_ns for thread in sim.threads) == 1000 * 10 * MS
    # All eight had their part of ten seconds of work.
    assert all(cpu.busy_ns > 1000 * MS for cpu in sim.metrics.cpus)
    Simulation.check(sim)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(1, 25).map(lambda ms: ms * MS)),
        st.tuples(st.just("sleep"), st.integers(0, 40).map(lambda ms: ms * MS)),
        st.tuples(st.just("yield")),
    ),
    min_size=1,
    max_size=6,
)
THREADS = st.lists(st.tuples(STEPS, st.integers(0, 4), st.integers(1, 15)), min_size=1, max_size=8)


@pytest.mark.parametrize("policy", POLICIES.names())
@settings(max_examples=20)
@given(threads=THREADS, cpus=st.integers(1, 4))
def test_any_threads_run_and_finish(policy, threads, cpus):
    """No thread is lost, none runs twice, affinity holds, all time is accounted for."""
    sim = Simulation(POLICIES.get(policy), cpus)
    for steps, priority, mask in threads:
        affinity = mask if mask & (1 << cpus) - 1 else -1
        sim.spawn(steps, priority=priority, affinity=affinity, nice=priority * 5 - 10)
    sim.run_until_done(10_000 * MS)
    for thread, (steps, _, _) in zip(sim.threads, threads, strict=True):
        wanted = sum(step[1] for step in steps if step[0] == "run")
        assert thread.cpu_ns == wanted


def test_a_switch_costs_the_same_with_1_task_waiting_and_with_1000():
    """MEL-11, MEL-40."""

    def cost(waiting: int) -> int:
        clock = VirtualClock()
        scheduler = Scheduler(1, PRIORITY3, clock, Metrics())
        for tid in range(waiting + 1):
            scheduler.add(Thread(tid, []))
        scheduler.pick_next(0)
        clock.advance(TICK_NS)
        return calls_of(lambda: (scheduler.tick(0), scheduler.pick_next(0)))

    assert cost(1) == cost(1000)


def test_two_runs_are_the_same():
    def history():
        sim = simulate(REALTIME, cpus=3)
        for number in range(12):
            steps = [("run", (number % 5 + 1) * 3 * MS), ("sleep", number % 4 * MS + MS)]
            sim.spawn(steps, repeat=True, nice=number % 3)
        sim.run(2000 * MS)
        return sim.timeline, sim.ran, sim.metrics.as_dict()

    assert history() == history()


def test_a_scheduler_has_a_cpu():
    with pytest.raises(ValueError, match="not 0"):
        Scheduler(0, PRIORITY3, VirtualClock(), Metrics())
