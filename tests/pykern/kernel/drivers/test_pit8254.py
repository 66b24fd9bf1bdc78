"""The PIT as the source of the boot processor's ticks."""

import pytest

from pykern.kernel.drivers import pit8254
from pykern.machine.computer import Computer, MachineConfig
from pykern_c import Machine


def test_channel_0_divides_the_oscillator():
    """MEL-18: 100 Hz."""
    computer = Computer(MachineConfig(memory=4 << 20), Machine)
    vcpu = computer.machine.vcpus[0]
    pit8254.start(vcpu, 100)
    computer.machine.write(0x1000, b"\xeb\xfe")
    vcpu.write_register("cs.base", 0)
    vcpu.write_register("rip", 0x1000)
    vcpu.port_write(0x43, 1, 0b1110_0010)  # read back: the status of channel 0
    assert vcpu.port_read(0x40, 1) & 0x3F == 0x34, "low and high byte, mode 2"
    computer.machine.run(until_ns=1_000_000)
    vcpu.port_write(0x43, 1, 0)  # latch
    low = vcpu.port_read(0x40, 1)
    assert low | vcpu.port_read(0x40, 1) << 8 == pytest.approx(11_932 - 1193, abs=2)


@pytest.mark.parametrize("hz", [0, -1, 18, 596_700])
def test_a_rate_that_16_bits_cannot_give_is_refused(hz):
    computer = Computer(MachineConfig(memory=4 << 20), Machine)
    with pytest.raises(ValueError, match="expected 19 to 596591"):
        pit8254.start(computer.machine.vcpus[0], hz)
