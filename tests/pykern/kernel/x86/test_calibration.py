"""The local APIC's timer, measured against the PIT."""

import pytest

from pykern.kernel.x86 import calibration, lapic
from pykern_c import Machine


def test_the_count_over_the_time_is_the_frequency():
    """MEL-10: whatever time the image's wait really takes, a second has as many PIT clocks."""
    machine = Machine(1 << 20)
    machine.write(0x1000, b"\xeb\xfe")
    vcpu = machine.vcpus[0]
    vcpu.write_register("cs.base", 0)
    vcpu.write_register("rip", 0x1000)
    clocks = calibration.begin(vcpu)
    wait_ns = clocks * 1_000_000_000 // calibration.PIT_HZ
    until = machine.now + wait_ns
    while machine.now < until:
        machine.run(until_ns=until)
    assert calibration.end(vcpu) == pytest.approx(1e9, rel=1e-5)
    assert lapic.timer_count(vcpu) == 0
    assert lapic.read(vcpu, lapic.Register.LVT_TIMER) & lapic.MASKED


def test_the_kernel_measures_before_it_sets_a_timer(system):
    made = system(files={"/sbin/init": b""}, cpus=2, command_line="loglevel=debug")
    made.run_until("AP#1 online")
    assert "[APIC] the timer counts at 1000." in made.log
    assert made.kernel.clock.ticks_per_second == pytest.approx(1e9, rel=1e-4)
