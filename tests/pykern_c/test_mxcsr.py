"""MXCSR between guest and host: slices, callbacks, unmasked exceptions."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from pykern_c.exits import ExitReason
from tests.guest import ENTRY, long_mode_machine

if TYPE_CHECKING:
    from pykern_c.machine import Machine

DATA = 0x40_0000
INITIAL = 0x1F80
IE, DE, ZE, OE, UE, PE = (1 << i for i in range(6))
ROUND_UP = 0x4000
UD, XM = 6, 19
LOAD = f"ldmxcsr [{DATA}]\nmovsd xmm0, [{DATA + 8}]\nmovsd xmm1, [{DATA + 16}]\n"


def machine_with(source: str, mxcsr: int, first: float, second: float) -> Machine:
    machine = long_mode_machine(LOAD + source)
    machine.vcpus[0].write_register("idtr.limit", 0)
    machine.write(DATA, struct.pack("<Ixxxxdd", mxcsr, first, second))
    return machine


class Device:
    """A port that computes on the host, and looks at the processor meanwhile."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.quotients: list[float] = []
        self.seen: list[int] = []

    def reset(self) -> None: ...

    def read(self, offset: int, size: int) -> int:
        self.seen.append(self.machine.vcpus[0].read_register("mxcsr"))
        self.quotients.append(float(len(self.seen)) / 3.0)
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        self.machine.vcpus[0].write_register("mxcsr", value | INITIAL)

    def save(self) -> dict[str, int]:
        return {}

    def load(self, state: dict[str, int]) -> None: ...


def test_flags_accumulate_over_instructions_and_slices() -> None:
    source = "divsd xmm0, xmm1\nmovsd xmm2, xmm1\nsqrtsd xmm3, xmm2\nhlt"
    machine = machine_with(source, INITIAL, 1.0, 3.0)
    vcpu = machine.vcpus[0]
    vcpu.step(3)
    assert vcpu.read_register("mxcsr") == INITIAL
    vcpu.step(1)
    assert vcpu.read_register("mxcsr") == INITIAL | PE
    vcpu.write_register("mxcsr", INITIAL)
    vcpu.step(1)
    assert vcpu.read_register("mxcsr") == INITIAL
    machine.run()
    assert vcpu.read_register("mxcsr") == INITIAL | PE


def test_stmxcsr_sees_what_has_just_happened() -> None:
    machine = machine_with(f"divsd xmm0, xmm1\nstmxcsr [{DATA + 4}]\nhlt", INITIAL, 1.0, 0.0)
    machine.run()
    assert machine.read(DATA + 4, 4) == struct.pack("<I", INITIAL | ZE)


@pytest.mark.parametrize(
    ("mode", "quotient"),
    [(0, 1 / 3), (0x2000, 1 / 3), (ROUND_UP, 0.33333333333333337), (0x6000, 1 / 3)],
)
def test_the_guest_rounds_as_it_likes(mode: int, quotient: float) -> None:
    machine = machine_with("divsd xmm0, xmm1\nhlt", INITIAL | mode, 1.0, 3.0)
    machine.run()
    assert machine.vcpus[0].read_register("xmm0") == int.from_bytes(
        struct.pack("<d", quotient), "little"
    )


def test_a_device_computes_with_the_hosts_rounding() -> None:
    source = "divsd xmm0, xmm1\nin al, 0x77\ndivsd xmm0, xmm1\nin al, 0x77\nhlt"
    machine = machine_with(source, INITIAL | ROUND_UP, 1.0, 3.0)
    device = Device(machine)
    machine.map_ports(0x77, 1, device)
    machine.run()
    assert device.quotients == [1.0 / 3.0, 2.0 / 3.0]
    assert device.seen == [INITIAL | ROUND_UP | PE] * 2
    assert machine.vcpus[0].read_register("xmm0") == int.from_bytes(
        struct.pack("<d", 0.11111111111111113), "little"
    )
    assert (1.0 / 3.0).hex() == "0x1.5555555555555p-2"  # and the host's are as they were


def test_what_a_callback_writes_counts_at_once() -> None:
    machine = machine_with(
        "mov eax, 0x4000\nout 0x77, ax\ndivsd xmm0, xmm1\nhlt", INITIAL, 1.0, 3.0
    )
    machine.map_ports(0x77, 2, Device(machine))
    machine.run()
    assert machine.vcpus[0].read_register("mxcsr") == INITIAL | ROUND_UP | PE


@pytest.mark.parametrize(
    ("instruction", "first", "second", "flag"),
    [
        ("divsd xmm0, xmm1", 1.0, 0.0, ZE),
        ("divsd xmm0, xmm1", 0.0, 0.0, IE),
        ("mulsd xmm0, xmm1", 1e300, 1e300, OE),
        ("mulsd xmm0, xmm1", 1e-300, 1e-300, UE),
        ("addsd xmm0, xmm1", 5e-324, 1.0, DE),
        ("divsd xmm0, xmm1", 1.0, 3.0, PE),
        ("cvtsd2si eax, xmm0", 1e300, 0.0, IE),
        ("comisd xmm0, xmm1", float("nan"), 0.0, IE),
    ],
)
@pytest.mark.parametrize(("osxmmexcpt", "vector"), [(True, XM), (False, UD)])
def test_an_unmasked_exception(
    instruction: str, first: float, second: float, flag: int, osxmmexcpt: bool, vector: int
) -> None:
    machine = machine_with(f"{instruction}\nhlt", INITIAL & ~(flag << 7), first, second)
    vcpu = machine.vcpus[0]
    if not osxmmexcpt:
        vcpu.write_register("cr4", vcpu.read_register("cr4") & ~0x400)
    vcpu.write_register("rflags", 0x8D7)
    end = machine.run()
    assert end.reason is ExitReason.SHUTDOWN
    assert end.faults[0].vector == vector
    assert vcpu.read_register("mxcsr") & flag
    assert vcpu.read_register("xmm0") == int.from_bytes(struct.pack("<d", first), "little")
    assert vcpu.read_register("rip") == ENTRY + 26
    assert vcpu.read_register("rflags") & 0x8D5 == 0x8D5


def test_a_masked_exception_beside_an_unmasked_one() -> None:
    machine = machine_with("divsd xmm0, xmm1\nhlt", INITIAL & ~(ZE << 7), 1.0, 3.0)
    assert machine.run().reason is ExitReason.HLT
    assert machine.vcpus[0].read_register("mxcsr") == INITIAL & ~(ZE << 7) | PE


def test_processors_have_their_own() -> None:
    source = f"""
        lea rbx, [{DATA} + rdi * 8]
        ldmxcsr [rbx]
        cvtsi2sd xmm0, rdi
        mov eax, 3
        cvtsi2sd xmm1, eax
        mov ecx, 100000
    1:  dec ecx
        jnz 1b
        divsd xmm0, xmm1
        hlt
    """
    machine = long_mode_machine(source, cpus=3)
    machine.write(DATA, struct.pack("<QQQ", INITIAL, INITIAL | ROUND_UP, INITIAL | 0x2000))
    machine.run()
    seen = [vcpu.read_register("mxcsr") for vcpu in machine.vcpus]
    assert seen == [INITIAL, INITIAL | ROUND_UP | PE, INITIAL | 0x2000 | PE]
    assert machine.vcpus[1].read_register("xmm0") == int.from_bytes(
        struct.pack("<d", 0.33333333333333337), "little"
    )
