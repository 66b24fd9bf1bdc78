"""Timers and ticks by the local APIC's timer."""

from types import SimpleNamespace

import pytest

from pykern.kernel.x86 import lapic
from pykern.kernel.x86.clock import KernelClock
from pykern_c import Machine

TICK = 10_000_000


@pytest.fixture
def machine():
    made = Machine(1 << 20, cpus=2)
    made.write(0x1000, b"\xfa\xf4")  # cli; hlt: time passes, and nothing else happens
    made.vcpus[0].write_register("cs.base", 0)
    made.vcpus[0].write_register("rip", 0x1000)
    return made


def _pass(machine, ns):
    until = machine.now + ns
    while machine.now < until:
        machine.run(until_ns=until)


@pytest.fixture
def clock(machine):
    made = KernelClock(machine, 0xEC, TICK)
    made.ticks_per_second = 1_000_000_000
    for number, vcpu in enumerate(machine.vcpus):
        lapic.enable(vcpu, spurious=0xFF, error=0xFE)
        made.add_cpu(SimpleNamespace(number=number, vcpu=vcpu))
    made.this_cpu = SimpleNamespace(number=0, vcpu=machine.vcpus[0])
    return made


def _armed(clock, number=0):
    return lapic.timer_count(clock._machine.vcpus[number])


def test_the_hardware_is_set_to_what_is_due_first(machine, clock):
    clock.at(5000, lambda: None)
    assert _armed(clock) == pytest.approx(5000, abs=1)
    clock.at(3000, lambda: None)
    assert _armed(clock) == pytest.approx(3000, abs=1)
    clock.at(9000, lambda: None)
    assert _armed(clock) == pytest.approx(3000, abs=1)
    assert _armed(clock, 1) == 0, "another processor has timers of its own"


def test_calls_are_made_when_due_in_their_order(machine, clock):
    """MEL-14."""
    done = []
    for name, deadline in (("late", 900), ("b", 500), ("a", 100), ("c", 500)):
        clock.at(deadline, lambda name=name: done.append(name))
    clock.at(200, lambda: done.append("never")).cancel()
    _pass(machine, 600)
    clock.expire(clock.this_cpu, busy=False)
    assert done == ["a", "b", "c"]
    assert _armed(clock) == pytest.approx(900 - machine.now, abs=1)


def test_a_timer_may_set_another(machine, clock):
    done = []
    clock.at(100, lambda: clock.at(100, lambda: done.append("second")))
    _pass(machine, 200)
    clock.expire(clock.this_cpu, busy=False)
    assert done == ["second"]


def test_ticks_come_while_a_thread_runs_at_multiples_of_the_tick(machine, clock):
    """MEL-18: 100 per second of virtual time."""
    _pass(machine, 1234)
    clock.start_tick(clock.this_cpu)
    assert _armed(clock) == pytest.approx(TICK - machine.now, abs=1)
    assert not clock.expire(clock.this_cpu, busy=True)
    _pass(machine, TICK)
    assert clock.expire(clock.this_cpu, busy=True)
    assert _armed(clock) == pytest.approx(2 * TICK - machine.now, abs=1)
    _pass(machine, TICK)
    assert clock.expire(clock.this_cpu, busy=False), "the last one"
    assert _armed(clock) == 0, "an idle processor has no tick"


def test_nobody_acts_nobody_waits(machine):
    with pytest.raises(ValueError, match="no processor acts"):
        KernelClock(machine, 0xEC, TICK).at(1, lambda: None)


def test_it_knows_whether_a_timer_is_set(clock):
    assert clock.ready
    assert not clock.pending
    timer = clock.at(5000, lambda: None)
    assert clock.pending
    timer.cancel()
    assert not clock.pending


def test_a_processor_that_is_not_up_has_no_timers(clock):
    clock.this_cpu = SimpleNamespace(number=7)
    assert not clock.ready
    clock.this_cpu = None
    assert not clock.ready


def test_a_processor_may_have_its_ticks_from_elsewhere(machine, clock):
    """MEL-18: the boot processor's are the PIT's."""
    cpu = clock.this_cpu
    clock.add_cpu(cpu, ticks=False)
    clock.start_tick(cpu)
    assert _armed(clock) == 0
    _pass(machine, 2 * TICK)
    assert not clock.expire(cpu, busy=True)
    clock.at(machine.now + 700, lambda: None)
    assert _armed(clock) == pytest.approx(700, abs=1), "it has timers all the same"
