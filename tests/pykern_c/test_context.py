"""What a thread switch saves (MEL-20, RMP-09 on x86-64)."""

from __future__ import annotations

from pykern_c import Machine, Vcpu
from pykern_c.context import Context

GENERAL = (
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
    *(f"r{number}" for number in range(8, 16)),
)
BASES = ("fs.base", "gs.base", "kernel_gs_base")
WIDE = (*(f"xmm{number}" for number in range(16)), *(f"st{number}" for number in range(8)))
CONTROL = {"rip": 0x1234, "rflags": 0xA97, "cr3": 0x5000, "fcw": 0x27F, "mxcsr": 0x1FC0}


def _fill(vcpu: Vcpu, seed: int) -> None:
    """Give every register that a thread owns a value of its own."""
    for number, name in enumerate((*GENERAL, *BASES), seed):
        vcpu.write_register(name, 0x1111 * number)
    for number, name in enumerate(WIDE, seed):
        vcpu.write_register(name, 3 << 62 | number)


def test_a_switch_and_back_loses_nothing() -> None:
    """RMP-09: the full set of registers, whatever the other thread does with them."""
    vcpu = Machine(1 << 20).vcpus[0]
    _fill(vcpu, 1)
    for name, value in CONTROL.items():
        vcpu.write_register(name, value)
    before = vcpu.registers()
    first, second = Context(), Context()
    second.rip, second.rsp, second.rflags = 0x9000, 0x8000, 2
    first.switch(vcpu, second)
    assert (vcpu.read_register("rip"), vcpu.read_register("rsp")) == (0x9000, 0x8000)
    assert [vcpu.read_register(name) for name in WIDE] == [0] * len(WIDE)
    _fill(vcpu, 100)
    second.switch(vcpu, first)
    after = vcpu.registers()
    assert after == before
    assert len({after[name] for name in (*GENERAL, *BASES)}) == len(GENERAL) + len(BASES)


def test_registers_of_a_context_can_be_prepared() -> None:
    vcpu = Machine(1 << 20).vcpus[0]
    context = Context()
    context.clear_fpu()
    context.rip, context.rsp, context.cr3 = 0x1000, 0x2000, 0x3000
    context.fs_base, context.gs_base, context.kernel_gs_base = 4, 5, 6
    context.write_gpr(7, 0xDD)
    context.restore(vcpu)
    names = ("rip", "rsp", "cr3", "fs.base", "gs.base", "kernel_gs_base", "rdi", "fcw", "mxcsr")
    values = [vcpu.read_register(name) for name in names]
    assert values == [0x1000, 0x2000, 0x3000, 4, 5, 6, 0xDD, 0x37F, 0x1F80]


def test_a_copy_is_independent() -> None:
    context = Context()
    context.write_gpr(0, 1)
    other = context.copy()
    other.write_gpr(0, 2)
    assert (context.read_gpr(0), other.read_gpr(0)) == (1, 2)
