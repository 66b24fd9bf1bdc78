"""FXSAVE, XSAVE and the order of checks before SSE and MMX instructions."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pykern_c.exits import ExitReason
from pykern_c.machine import Machine
from tests.guest import ENTRY, assemble, long_mode, page_tables
from tests.oracle import host
from tests.oracle.compare import differences, report
from tests.oracle.generate import draw_states
from tests.oracle.pykern_cpu import PykernCpu
from tests.oracle.state import LAYOUT, States, instructions
from tests.oracle.table import forms

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGE = 0x40_0000
UD, NM, GP, MF, XM = 6, 7, 13, 16, 19
EM, TS = 4, 8
OSFXSR, OSXMMEXCPT, OSXSAVE = 0x200, 0x400, 0x4_0000
X87, SSE = 1, 2
RBX = 3
AREA = 64  # of the image in the memory of a case
# The host may save FOP, FIP and FDP only with an exception pending, and MXCSR_MASK is its own.
POINTERS, MXCSR, MXCSR_MASK = slice(6, 24), slice(24, 28), slice(28, 32)


def machine_with(source: str, *, bits: int = 64, cpu: str = "max") -> Machine:
    machine = Machine(8 << 20, cpu=cpu)
    page_tables(machine)
    machine.write(ENTRY, assemble(source, bits))
    vcpu = machine.vcpus[0]
    long_mode(vcpu)
    if bits == 32:
        vcpu.write_register("cs.attr", 0xC09B)
    vcpu.write_register("cr4", vcpu.read_register("cr4") | OSXSAVE)
    vcpu.write_register("xcr0", X87 | SSE)
    vcpu.write_register("idtr.limit", 0)
    return machine


def fault_of(machine: Machine) -> int | None:
    """Run to HLT, or to a fault that nobody handles; return its vector."""
    end = machine.run()
    if end.reason is ExitReason.HLT:
        return None
    assert end.reason is ExitReason.SHUTDOWN, end
    return end.faults[0].vector


# ---------------------------------------------------------------------------------------------
# Against the host


def host_cases(name: str, count: int = 2_000) -> States:
    """Draw states with a pointer to 512 random bytes in RBX."""
    reason = host.unavailable()
    if reason:
        pytest.skip(reason)
    form = next(f for f in forms() if f.mnemonic == name)
    start = draw_states(np.random.default_rng(1), form, count, LAYOUT)
    start["mem_base"] = LAYOUT.data_base + 256
    start["gpr"][:, RBX] = LAYOUT.data_base + 256 + AREA
    return start


def image(states: States) -> NDArray[np.uint8]:
    """Return the images of all cases, as a view."""
    return states["mem"][:, AREA : AREA + 512]


@pytest.mark.parametrize(("name", "code"), [("FXSAVE", "fxsave"), ("FXSAVE64", "fxsave64")])
def test_fxsave_writes_what_the_host_writes(name: str, code: str) -> None:
    start = host_cases(name)
    packed = instructions([assemble(f"{code} [rbx]")])
    expected, actual = host.HostCpu().run(packed, start), PykernCpu().run(packed, start)
    for states in (expected, actual):
        image(states)[:, POINTERS] = image(states)[:, MXCSR_MASK] = 0
    found = differences(expected, actual)
    assert not found, report(packed, start, found)


@pytest.mark.parametrize(("name", "code"), [("FXRSTOR", "fxrstor"), ("FXRSTOR64", "fxrstor64")])
def test_fxrstor_loads_what_the_host_loads(name: str, code: str) -> None:
    start = host_cases(name)
    control = image(start)[:, MXCSR]
    control[:, 2] &= 0xFD  # not the bit of AMD's misaligned mode
    control[:1500, 2:] = 0
    packed = instructions([assemble(f"{code} [rbx]")])
    expected, actual = host.HostCpu().run(packed, start), PykernCpu().run(packed, start)
    assert (expected["vector"] < 0).any()
    found = differences(expected, actual)
    assert not found, report(packed, start, found)


# ---------------------------------------------------------------------------------------------
# FXSAVE


def test_fxsave_and_fxrstor_keep_the_pointers() -> None:
    machine = machine_with(f"fld1\nfxsave64 [{IMAGE}]\nfninit\nfxrstor64 [{IMAGE}]\nhlt")
    assert fault_of(machine) is None
    vcpu = machine.vcpus[0]
    assert (
        vcpu.read_register("fip") == ENTRY == int.from_bytes(machine.read(IMAGE + 8, 8), "little")
    )
    assert vcpu.read_register("st0") == 0x3FFF_8000_0000_0000_0000
    assert machine.read(IMAGE + 28, 4) == b"\xff\xff\0\0"  # MXCSR_MASK


def test_outside_64_bit_mode_fxsave_knows_eight_vectors() -> None:
    machine = machine_with(f"fxsave [{IMAGE}]\nfxrstor [{IMAGE + 1024}]\nhlt", bits=32)
    vcpu = machine.vcpus[0]
    machine.write(IMAGE, b"\xa5" * 512)
    machine.write(IMAGE + 1024, bytes(24) + struct.pack("<I", 0x1F80) + bytes(132) + b"\x11" * 352)
    for i in range(16):
        vcpu.write_register(f"xmm{i}", i + 1)
    assert fault_of(machine) is None
    saved = machine.read(IMAGE, 512)
    assert [saved[160 + 16 * i] for i in range(8)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert saved[288:] == b"\xa5" * 224
    restored = [vcpu.read_register(f"xmm{i}") & 0xFF for i in range(16)]
    assert restored == [0x11] * 8 + [9, 10, 11, 12, 13, 14, 15, 16]


@pytest.mark.parametrize(
    ("instruction", "vector"),
    [
        (f"fxsave [{IMAGE + 8}]", GP),
        (f"fxrstor [{IMAGE + 8}]", GP),
        (f"xsave [{IMAGE + 16}]", GP),
        (f"xrstor [{IMAGE + 32}]", GP),
        (f"fxrstor [{IMAGE + 64}]", None),
    ],
)
def test_images_are_aligned(instruction: str, vector: int | None) -> None:
    assert fault_of(machine_with(f"{instruction}\nhlt")) == vector


# ---------------------------------------------------------------------------------------------
# XSAVE

SAVE = "mov eax, {0}\nxor edx, edx\nxsave64 [0x400000]\n"
RESTORE = "mov eax, {0}\nxor edx, edx\nxrstor64 [0x400000]\n"
CLOBBER = "fninit\nxorps xmm5, xmm5\nmov dword ptr [0x401000], 0x1f80\nldmxcsr [0x401000]\n"


def test_xsave_and_xrstor_bring_the_state_back() -> None:
    source = "fldpi\n" + SAVE.format(3) + CLOBBER + RESTORE.format(3) + "hlt"
    machine = machine_with(source)
    vcpu = machine.vcpus[0]
    vcpu.write_register("xmm5", 0x1234 << 100)
    vcpu.write_register("mxcsr", 0x7FA0)
    assert fault_of(machine) is None
    assert vcpu.read_register("xmm5") == 0x1234 << 100
    assert vcpu.read_register("mxcsr") == 0x7FA0
    assert vcpu.read_register("st0") == 0x4000_C90F_DAA2_2168_C235
    assert machine.read(IMAGE + 512, 8)[0] == 3


@pytest.mark.parametrize("save", ["xsave64", "xsaveopt64"])
def test_xstate_bv_names_what_is_in_use(save: str) -> None:
    machine = machine_with((SAVE.format(3) + "hlt").replace("xsave64", save))
    vcpu = machine.vcpus[0]
    vcpu.write_register("fcw", 0x37F)
    machine.write(IMAGE + 512, b"\xff" + bytes(63))
    assert fault_of(machine) is None
    # Both components are initial; a bit that was not requested stays.
    assert machine.read(IMAGE + 512, 1) == b"\xfc"


def test_xsave_writes_only_what_is_requested() -> None:
    machine = machine_with("movd xmm0, eax\n" + SAVE.format(1) + "hlt")
    vcpu = machine.vcpus[0]
    vcpu.write_register("xmm1", 77)
    machine.write(IMAGE, b"\xa5" * 512)
    assert fault_of(machine) is None
    saved = machine.read(IMAGE, 512)
    assert saved[24:32] == b"\xa5" * 8  # MXCSR goes with SSE
    assert saved[160:] == b"\xa5" * 352
    assert saved[32:160] == bytes(128)


def test_xrstor_initialises_what_is_not_there() -> None:
    machine = machine_with("fld1\n" + RESTORE.format(3) + "hlt")
    vcpu = machine.vcpus[0]
    vcpu.write_register("xmm3", 77)
    machine.write(IMAGE, struct.pack("<24xI", 0x1FA0))
    assert fault_of(machine) is None
    assert vcpu.read_register("xmm3") == 0
    assert (vcpu.read_register("fcw"), vcpu.read_register("ftw")) == (0x37F, 0)
    assert vcpu.read_register("mxcsr") == 0x1FA0  # loaded all the same


def test_xrstor_leaves_alone_what_is_not_requested() -> None:
    machine = machine_with("fld1\n" + RESTORE.format(2) + "hlt")
    vcpu = machine.vcpus[0]
    machine.write(IMAGE, struct.pack("<24xI", 0x1F80))
    assert fault_of(machine) is None
    assert vcpu.read_register("st0") == 0x3FFF_8000_0000_0000_0000


@pytest.mark.parametrize(
    ("offset", "data"),
    [
        (512, struct.pack("<Q", 4)),  # a component that XCR0 does not have
        (520, struct.pack("<Q", 1 << 63)),  # compacted
        (528, struct.pack("<Q", 1)),
        (24, struct.pack("<I", 0x1_1F80)),  # MXCSR
    ],
)
def test_xrstor_rejects_a_bad_image(offset: int, data: bytes) -> None:
    machine = machine_with(RESTORE.format(3) + "hlt")
    machine.write(IMAGE + offset, data)
    assert fault_of(machine) == GP


def test_xsave_needs_osxsave() -> None:
    for source in (SAVE, RESTORE):
        machine = machine_with(source.format(3) + "hlt")
        machine.vcpus[0].write_register("cr4", 0x6A0)
        assert fault_of(machine) == UD


# ---------------------------------------------------------------------------------------------
# What comes first


@pytest.mark.parametrize(
    "instruction", ["addps xmm0, xmm1", "movaps xmm0, [0x400008]", "stmxcsr [0x400000]"]
)
@pytest.mark.parametrize(
    ("cr0", "cr4", "vector"),
    [(EM, OSFXSR, UD), (EM | TS, OSFXSR, UD), (TS, 0, UD), (TS, OSFXSR, NM), (0, 0, UD)],
)
def test_checks_before_sse(instruction: str, cr0: int, cr4: int, vector: int) -> None:
    machine = machine_with(f"{instruction}\nhlt")
    vcpu = machine.vcpus[0]
    vcpu.write_register("cr0", vcpu.read_register("cr0") | cr0)
    vcpu.write_register("cr4", vcpu.read_register("cr4") & ~OSFXSR | cr4)
    assert fault_of(machine) == vector


@pytest.mark.parametrize(
    "instruction", ["paddd mm0, mm1", "movq mm0, [0x900000]", "emms", "cvtpi2ps xmm0, mm1"]
)
@pytest.mark.parametrize(
    ("cr0", "pending", "vector"), [(EM, 1, UD), (EM | TS, 1, UD), (TS, 1, NM), (0, 1, MF)]
)
def test_checks_before_mmx(instruction: str, cr0: int, pending: int, vector: int) -> None:
    source = "fld1\nfldz\nfdivp\n" if pending else ""
    machine = machine_with(
        f"fldcw [{IMAGE}]\n{source}mov rax, cr0\nor eax, {cr0}\nmov cr0, rax\n{instruction}\nhlt"
    )
    machine.write(IMAGE, struct.pack("<H", 0x37B))  # ZE unmasked
    assert fault_of(machine) == vector


def test_without_osfxsr_fxsave_and_mmx_still_work() -> None:
    machine = machine_with(f"paddd mm0, mm1\nfxsave [{IMAGE}]\nhlt")
    machine.vcpus[0].write_register("cr4", 0xA0)
    machine.vcpus[0].write_register("xmm0", 1)
    assert fault_of(machine) is None
    assert machine.read(IMAGE + 160, 16) == bytes(16)  # no vectors


# ---------------------------------------------------------------------------------------------
# MMX and x87 share their registers


def test_mmx_sees_the_x87_registers_and_ends_with_emms() -> None:
    source = f"fldpi\nfld1\nmovq rax, mm6\nmovq rcx, mm7\nfnstenv [{IMAGE}]\nemms\nfldz\nhlt"
    machine = machine_with(source)
    vcpu = machine.vcpus[0]
    assert fault_of(machine) is None
    assert vcpu.read_register("rax") == 0x8000_0000_0000_0000  # 1.0, pushed second
    assert vcpu.read_register("rcx") == 0xC90F_DAA2_2168_C235
    status, tags = struct.unpack("<4xHxxHxx", machine.read(IMAGE, 12))
    assert status & 0x3800 == 0  # TOP
    assert tags != 0xFFFF
    assert vcpu.read_register("ftw") == 0x80  # FLDZ alone


def test_a_write_to_mmx_makes_a_nan() -> None:
    machine = machine_with("movq mm2, rax\nhlt")
    machine.vcpus[0].write_register("rax", 0x1234)
    assert fault_of(machine) is None
    assert machine.vcpus[0].read_register("st2") == 0xFFFF << 64 | 0x1234
    assert machine.vcpus[0].read_register("ftw") == 0xFF


def test_a_fault_of_memory_does_not_enter_mmx_state() -> None:
    machine = machine_with("fld1\nmovq mm0, [0x900000]\nhlt")
    assert fault_of(machine) == 14
    assert machine.vcpus[0].read_register("ftw") == 0x80


def test_sse_leaves_the_upper_halves_alone() -> None:
    machine = machine_with(f"addps xmm1, xmm2\nmovaps xmm3, [{IMAGE}]\nmovd xmm4, eax\nhlt")
    vcpu = machine.vcpus[0]
    for i in range(1, 5):
        vcpu.write_register(f"ymm{i}", i << 128)
    assert fault_of(machine) is None
    assert [vcpu.read_register(f"ymm{i}") >> 128 for i in range(1, 5)] == [1, 2, 3, 4]
