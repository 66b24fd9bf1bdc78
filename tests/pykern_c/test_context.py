"""What a thread switch saves (MEL-20, RMP-09 on x86-64)."""

from __future__ import annotations

from pykern_c import Machine
from pykern_c.context import Context

GENERAL = ("rax", "rbx", "rsp", "rbp", "r12", "r15")


def test_a_switch_and_back_loses_nothing() -> None:
    vcpu = Machine(1 << 20).vcpus[0]
    for number, name in enumerate(GENERAL):
        vcpu.write_register(name, 0x1111 * (number + 1))
    vcpu.write_register("fs.base", 0x7000)
    vcpu.write_register("xmm3", 3 << 100)
    vcpu.write_register("rflags", 0xA97)
    before = vcpu.registers()
    first, second = Context(), Context()
    second.rip, second.rsp, second.rflags = 0x9000, 0x8000, 2
    first.switch(vcpu, second)
    assert (vcpu.read_register("rip"), vcpu.read_register("rsp")) == (0x9000, 0x8000)
    assert vcpu.read_register("xmm3") == 0
    second.switch(vcpu, first)
    assert vcpu.registers() == before


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
