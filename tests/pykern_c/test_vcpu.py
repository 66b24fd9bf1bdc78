"""A processor's face for a hosted kernel: its registers as a buffer, its view of the bus."""

from __future__ import annotations

import gc

import pytest

from pykern_c import Machine

APIC_VERSION = 0xFEE0_0030
CMOS_INDEX = 0x70


class Latch:
    """A device of one register that remembers every access."""

    def __init__(self) -> None:
        self.accesses: list[tuple[str, int, int]] = []

    def read(self, offset: int, size: int) -> int:
        self.accesses.append(("read", offset, size))
        return 0x1234_5678

    def write(self, offset: int, size: int, value: int) -> None:
        self.accesses.append((f"write {value:#x}", offset, size))


def test_gprs_are_the_registers_in_encoding_order() -> None:
    vcpu = Machine(1 << 20).vcpus[0]
    gprs = vcpu.gprs
    for number, name in enumerate(("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8")):
        gprs[number] = 0x1000 + number
        assert vcpu.read_register(name) == 0x1000 + number
    vcpu.write_register("r15", (1 << 64) - 1)
    assert gprs[15] == (1 << 64) - 1
    assert gprs.shape == (16,)


def test_gprs_keep_the_machine_alive() -> None:
    gprs = Machine(1 << 20).vcpus[0].gprs
    gc.collect()
    gprs[0] = 7
    assert gprs[0] == 7


def test_ports_as_instructions_reach_them() -> None:
    machine, latch = Machine(1 << 20), Latch()
    machine.map_ports(0x600, 8, latch)
    assert machine.vcpus[0].port_read(0x602, 2) == 0x5678
    machine.vcpus[0].port_write(0x604, 4, 0xCAFE)
    assert latch.accesses == [("read", 2, 2), ("write 0xcafe", 4, 4)]
    assert machine.vcpus[0].port_read(0x700, 1) == 0xFF, "nobody is there"


def test_physical_accesses_reach_the_processors_own_apic() -> None:
    machine = Machine(1 << 20, cpus=3)
    ids = [vcpu.physical_read(0xFEE0_0020, 4) >> 24 for vcpu in machine.vcpus]
    assert ids == [0, 1, 2]
    machine.vcpus[1].physical_write(0xFEE0_0080, 4, 0x20)
    assert [vcpu.physical_read(0xFEE0_0080, 4) for vcpu in machine.vcpus] == [0, 0x20, 0]
    machine.vcpus[0].physical_write(0x5000, 8, 0x1122_3344_5566_7788)
    assert machine.read(0x5000, 8)[::-1].hex() == "1122334455667788"


@pytest.mark.parametrize("size", [0, 3, 16])
def test_a_size_that_no_access_has_is_refused(size: int) -> None:
    vcpu = Machine(1 << 20).vcpus[0]
    with pytest.raises(ValueError, match=f"size {size}"):
        vcpu.physical_read(0, size)
    with pytest.raises(ValueError, match="at most 4"):
        vcpu.port_read(CMOS_INDEX, 8)


def test_a_hostcalls_price_is_virtual_time() -> None:
    """Time charged moves the clock; instructions retired stay what they are."""
    machine = Machine(1 << 20)
    machine.hostcall_port = 0xE4
    machine.write(0x1000, bytes.fromhex("e6e4 e6e4 ebfa"))
    vcpu = machine.vcpus[0]
    vcpu.write_register("cs", 0)
    vcpu.write_register("cs.base", 0)
    vcpu.write_register("rip", 0x1000)
    machine.run()
    before, retired = machine.now, machine.retired
    machine.charge(500)
    machine.run()
    assert machine.now - before == 501
    assert machine.retired - retired == 1


@pytest.mark.parametrize(
    "touch",
    [
        lambda vcpu: vcpu.port_write(0x600, 1, 1),
        lambda vcpu: vcpu.port_read(0x600, 1),
        lambda vcpu: vcpu.physical_read(0xF000_0000, 4),
        lambda vcpu: vcpu.physical_write(0xF000_0000, 4, 1),
    ],
)
def test_what_the_host_computes_does_not_show_in_mxcsr(touch) -> None:
    """A device is called as from a slice, without one: the host's flags stay the host's."""
    machine, latch = Machine(1 << 20), Latch()
    machine.map_ports(0x600, 8, latch)
    machine.map_mmio(0xF000_0000, 0x1000, latch)
    vcpu = machine.vcpus[0]
    before = vcpu.read_register("mxcsr")
    inexact = sum(1.0 / n for n in range(1, 50))
    touch(vcpu)
    assert vcpu.read_register("mxcsr") == before == 0x1F80
    assert inexact > 4
    vcpu.write_register("mxcsr", 0x7F80)  # rounding toward zero
    touch(vcpu)
    assert repr(float("0.1") + float("0.2")) == "0.30000000000000004"


def test_who_looks_at_a_halted_processor_sees_the_present():
    """Its APIC's timer has counted down to now, and one that is set counts from now."""
    machine = Machine(1 << 20)
    machine.write(0x1000, b"\xfa\xf4")  # cli; hlt
    vcpu = machine.vcpus[0]
    vcpu.write_register("cs.base", 0)
    vcpu.write_register("rip", 0x1000)
    machine.run(until_ns=1_000)
    initial, current, divide = 0xFEE0_0380, 0xFEE0_0390, 0xFEE0_03E0
    vcpu.physical_write(divide, 4, 0b1011)
    vcpu.physical_write(initial, 4, 1_000_000)
    machine.run(until_ns=11_000)
    assert vcpu.physical_read(current, 4) == 990_000
    vcpu.physical_write(initial, 4, 500)
    assert vcpu.physical_read(current, 4) == 500
