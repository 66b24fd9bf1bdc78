"""Exceptions in the kernel itself: they end it, with a reason."""

from __future__ import annotations

import pytest

from pykern.exit_status import ExitStatus
from pykern.kernel.x86 import lapic, vectors
from tests.pykern.kernel import hosted

NMI = 4 << 8 | lapic.LEVEL_ASSERT
"""An interrupt command: delivery mode NMI."""


@pytest.fixture
def idle(kernel_image):
    return hosted.idle_system(kernel_image)


def _jump(system, rip, **registers):
    """Have the idle processor go on elsewhere, in the kernel."""
    vcpu = system.machine.vcpus[0]
    for name, value in {"rip": rip, **registers}.items():
        vcpu.write_register(name, value)
    vcpu.activate()
    return _go_on(system)


def _go_on(system):
    system.session.start = lambda: None
    system.session.timeout_ns = system.machine.now + 100_000_000
    return system.run()


def test_data_cannot_be_executed(idle):
    """MEL-25, MEL-27, MEL-32: #PF with the bit of an instruction fetch."""
    symbols = idle.kernel.symbols
    system = _jump(idle, symbols["__rodata_start"])
    assert system.outcome.status == ExitStatus.PANIC
    assert "page fault in the kernel (CPU 0" in system.log
    assert f"vector 14, error code 0x11, rip {symbols['__rodata_start']:#x}" in system.log


def test_code_cannot_be_written(idle):
    """MEL-25, MEL-27: CR0.WP holds for the kernel too."""
    symbols = idle.kernel.symbols
    system = _jump(idle, symbols["spin_unlock"], rdi=symbols["__text_start"])
    assert system.outcome.status == ExitStatus.PANIC
    assert "vector 14, error code 0x3" in system.log


def test_the_kernel_does_not_execute_user_code(idle):
    """MEL-27: SMEP."""
    space = idle.kernel.processes.first.space
    vma = next(vma for vma in space.vmas if vma.prot & 4)
    system = _jump(idle, vma.start, cr3=space.pml4)
    assert system.outcome.status == ExitStatus.PANIC
    assert f"error code 0x11, rip {vma.start:#x}" in system.log


def test_a_kernel_stack_that_overflows_is_told_from_other_double_faults(idle):
    """MEL-22: the guard page below each stack."""
    kernel = idle.kernel
    stack = kernel.stacks.alloc()
    symbols = kernel.symbols
    system = _jump(idle, symbols["secondary_entry"], rsp=stack.bottom)
    assert system.outcome.status == ExitStatus.PANIC
    assert "kernel stack overflow (CPU 0" in system.log


def test_a_double_fault_for_another_reason(idle):
    system = _jump(idle, idle.kernel.symbols["secondary_entry"], rsp=0xFFFF_F000_0000_0000)
    assert "double fault (CPU 0" in system.log


def test_an_interrupt_that_nobody_expects_is_noted(idle):
    idle.machine.vcpus[0].inject(0x55)
    system = _go_on(idle)
    assert "vector 0x55 has no handler" in system.log
    assert system.outcome.status == ExitStatus.VIRTUAL_TIMEOUT, "it goes on"


def test_an_nmi_is_noted(idle):
    vcpu = idle.machine.vcpus[0]
    vcpu.physical_write(lapic.BASE + lapic.Register.ICR_HIGH, 4, 0)
    vcpu.physical_write(lapic.BASE + lapic.Register.ICR_LOW, 4, NMI)
    system = _go_on(idle)
    assert "NMI on CPU 0" in system.log
    assert system.outcome.status == ExitStatus.VIRTUAL_TIMEOUT, "it goes on"


def test_a_machine_check_is_the_end(idle):
    idle.machine.vcpus[0].inject(18)
    assert "machine check (CPU 0" in _go_on(idle).log


def test_exceptions_of_kernel_code_are_its_end(idle):
    start = idle.kernel.symbols["kthread_start"]
    ud2 = start + idle.machine.vcpus[0].read_linear(start, 64).index(b"\x0f\x0b")
    system = _jump(idle, ud2)
    assert system.outcome.status == ExitStatus.PANIC
    assert "exception in the kernel" in system.log


def test_interrupts_are_counted(idle):
    """MEL-39: the UART's line."""
    idle.computer.board.com1.receive(b"x\n")
    system = _go_on(idle)
    assert system.kernel.traps.counts[vectors.FIRST_ISA + 4, 0] >= 1
    assert "read 2: x" in system.log
