"""What the machine is like once the kernel is up."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pykern.kernel.x86 import layout
from tests.pykern.kernel import hosted


@pytest.fixture(scope="module")
def idle(kernel_image):
    return hosted.idle_system(kernel_image, cpus=4)


def test_every_processor_is_up_and_protected(idle):
    """MEL-01, MEL-07, MEL-27."""
    bases = set()
    for cpu in idle.kernel.cpus:
        read = cpu.vcpu.read_register
        assert read("cr0") & layout.CR0["WP"]
        assert read("cr4") & layout.CR4["SMEP"]
        assert read("efer") & layout.EFER["NXE"]
        assert read("efer") & layout.EFER["LMA"]
        bases.add(read("gs.base"))
    assert len(bases) == len(idle.kernel.cpus) == 4
    assert all(base % 64 == 0 for base in bases)


def test_the_memory_of_the_kernel_is_laid_out_as_promised(idle):
    """MEL-25, MEL-38: HHDM, heap and image; no page writable and executable."""
    vcpu, kernel = idle.machine.vcpus[0], idle.kernel
    text = vcpu.translate(0xFFFF_FFFF_8000_0000)
    assert (text.writable, text.executable, text.user) == (False, True, False)
    for laddr in (0xFFFF_8000_0000_0000, 0xFFFF_A000_0000_0000, kernel.symbols["__data_start"]):
        found = vcpu.translate(laddr)
        assert (found.writable, found.executable, found.user) == (True, False, False)
    rodata = vcpu.translate(kernel.symbols["__rodata_start"])
    assert (rodata.writable, rodata.executable) == (False, False)
    assert vcpu.translate(0xFFFF_8000_0000_1234).paddr == 0x1234


def test_the_trampoline_is_not_left_mapped(idle):
    assert idle.kernel.table.translate(layout.TRAMPOLINE) is None


def test_interrupts_of_the_apics_only(idle):
    """MEL-09, MEL-39."""
    vcpu = idle.machine.vcpus[0]
    assert vcpu.physical_read(0xFEE0_00F0, 4) & 0x100
    assert [vcpu.port_read(port, 1) for port in (0x21, 0xA1)] == [0xFF, 0xFF]


def test_kernel_stacks_are_8_kib_and_apart(idle):
    """MEL-22."""
    stacks = [t.stack for t in idle.kernel.threads.by_tid.values() if t.stack is not None]
    assert all(stack.size == 8192 for stack in stacks)
    tops = sorted(stack.top for stack in stacks)
    assert all(b - a > 8192 for a, b in pairwise(tops))
