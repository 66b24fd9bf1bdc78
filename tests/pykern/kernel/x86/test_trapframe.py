"""Trap frames in memory, and which flags a program may have."""

import pytest

from pykern.kernel.x86 import layout
from pykern.kernel.x86.trapframe import TrapFrame, new_user_frame, sanitised_rflags
from pykern_c import Machine


@pytest.fixture
def frame():
    return TrapFrame(Machine(1 << 20), 0x1000)


def test_fields_are_read_where_they_were_written(frame):
    fields = {name: number * 0x0101_0101_0101 for number, name in enumerate(layout.FRAME_FIELDS)}
    frame.write(fields)
    assert frame.read() == fields
    assert {name: frame[name] for name in layout.FRAME_FIELDS} == fields


def test_negative_results_are_stored_as_the_register_holds_them(frame):
    frame["rax"] = -4
    assert frame["rax"] == 0xFFFF_FFFF_FFFF_FFFC
    assert frame["rcx"] == 0


def test_a_new_program_starts_in_ring_3_with_interrupts_on(frame):
    """MEL-47."""
    frame.write(new_user_frame(0x40_1000, 0x7FFF_F000))
    assert frame.from_user
    assert (frame["cs"] & 3, frame["ss"] & 3) == (3, 3)
    assert frame["rflags"] == layout.RFLAGS["FIXED"] | layout.RFLAGS["IF"]
    assert (frame["rip"], frame["rsp"]) == (0x40_1000, 0x7FFF_F000)


def test_kernel_code_is_not_user_code(frame):
    frame["cs"] = layout.SELECTORS["KERNEL_CS"]
    assert not frame.from_user


@pytest.mark.parametrize("flags", [0, (1 << 64) - 1, 3 << 12, 1 << 17, 1 << 14])
def test_no_program_gets_ports_nested_tasks_or_interrupts_off(flags):
    found = sanitised_rflags(flags)
    assert found & layout.RFLAGS["IF"]
    assert not found & (layout.RFLAGS["IOPL"] | layout.RFLAGS["NT"] | 1 << 17 | 3 << 19)
    assert found & layout.RFLAGS["CF"] == flags & layout.RFLAGS["CF"]
