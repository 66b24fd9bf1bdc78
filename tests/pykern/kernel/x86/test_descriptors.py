"""GDT, TSS, IDT as the processor reads them."""

import struct

import pytest

from pykern.kernel.x86 import descriptors, layout, vectors

TSS = 0xFFFF_8000_1234_5100
STUBS = 0xFFFF_FFFF_8000_1000


def _gate(number):
    low, selector, ist, rights, middle, high, zero = struct.unpack_from(
        "<HHBBHII", descriptors.idt(STUBS), 16 * number
    )
    assert zero == 0
    return low | middle << 16 | high << 32, selector, ist, rights


def test_segments_are_flat_and_of_their_rings():
    """SDM Vol. 3A, Segment Descriptors."""
    table = descriptors.gdt(TSS)
    for name, selector in layout.SELECTORS.items():
        if name == "TSS_SELECTOR":
            continue
        (entry,) = struct.unpack_from("<Q", table, selector & ~7)
        assert entry >> 45 & 3 == selector & 3, f"{name}: its DPL is its RPL"
        assert entry >> 47 & 1, f"{name} is not present"
        assert bool(entry >> 43 & 1) == ("CS" in name), f"{name}: code or data"
        assert bool(entry >> 53 & 1) == (name in {"KERNEL_CS", "USER_CS"}), f"{name}: 64-bit"


def test_the_tss_descriptor_says_where_the_tss_is():
    low, high = struct.unpack_from("<QQ", descriptors.gdt(TSS), layout.SELECTORS["TSS_SELECTOR"])
    base = low >> 16 & 0xFF_FFFF | (low >> 56) << 24 | high << 32
    assert base == TSS
    assert low & 0xFFFF == descriptors.TSS_SIZE - 1
    assert low >> 40 & 0xFF == 0x89, "present, available 64-bit TSS"


def test_the_tss_holds_stacks_and_no_ports():
    """MEL-48: a stack of its own for the kernel; user mode has no port."""
    raw = descriptors.tss(0x1111, {1: 0x2222, 4: 0x3333})
    assert len(raw) == descriptors.TSS_SIZE
    assert struct.unpack_from("<Q", raw, descriptors.RSP0) == (0x1111,)
    assert struct.unpack_from("<7Q", raw, 36) == (0x2222, 0, 0, 0x3333, 0, 0, 0)
    assert struct.unpack_from("<H", raw, 102) == (descriptors.TSS_SIZE,)


def test_every_vector_has_an_interrupt_gate_to_its_stub():
    """MEL-39."""
    for number in range(256):
        target, selector, _, rights = _gate(number)
        assert target == STUBS + number * layout.VECTOR_STUB_SIZE
        assert selector == layout.SELECTORS["KERNEL_CS"]
        assert rights & 0x9F == 0x8E, "present, interrupt gate: IF is cleared"


def test_user_programs_may_raise_three_vectors_only():
    """MEL-12, MEL-39: 0x80 has DPL 3."""
    open_to_users = {number for number in range(256) if _gate(number)[3] >> 5 & 3 == 3}
    assert open_to_users == {3, 4, vectors.SYSTEM_CALL}


def test_what_may_find_no_stack_has_its_own():
    stacks = {number: _gate(number)[2] for number in range(256) if _gate(number)[2]}
    assert set(stacks) == {1, 2, 8, 18}
    assert len(set(stacks.values())) == 4


def test_cpu_setup_has_its_fields_where_entry_code_looks():
    raw = descriptors.cpu_setup(
        gdtr=(0x1000, 64), idtr=(0x2000, 4096), cr0=5, cr4=6, msrs={0xC0000080: 0xD01, 7: 8}
    )
    assert struct.unpack_from("<HQ", raw, layout.SETUP["gdtr"]) == (63, 0x1000)
    assert struct.unpack_from("<HQ", raw, layout.SETUP["idtr"]) == (4095, 0x2000)
    assert struct.unpack_from("<Q", raw, layout.SETUP["cr0"]) == (5,)
    assert struct.unpack_from("<Q", raw, layout.SETUP["cr4"]) == (6,)
    assert struct.unpack_from("<I", raw, layout.SETUP["mxcsr"]) == (0x1F80,)
    assert struct.unpack_from("<I", raw, layout.SETUP["msr_count"]) == (2,)
    assert struct.unpack_from("<4Q", raw, layout.SETUP["msrs"]) == (0xC0000080, 0xD01, 7, 8)


@pytest.mark.parametrize("vector", sorted(layout.EXCEPTIONS))
def test_exceptions_have_names_of_linux(vector):
    assert layout.EXCEPTIONS[vector].islower()
