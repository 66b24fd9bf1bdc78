"""Debian's gdb goes back in time among processes: tasks step back wherever they were executed."""

from __future__ import annotations

import re

import pytest

from tests.gdbstub.gdb import GDB
from tests.gdbstub.test_gdb_processes import at_first_process, boot, executables, initrd
from tests.gdbstub.test_gdb_reverse import place

__all__ = ["boot", "initrd"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GDB is None, reason="gdb is not installed"),
]


@pytest.fixture
def family(boot, gdb):
    return at_first_process(gdb, boot("/sbin/family", "--smp", "2"))


def test_instructions_of_a_program_back_and_forth(family):
    """A system call is one instruction backwards too (I4, reverse)."""
    family.type("break work")
    family.go("continue")
    family.type("delete")
    there = [place(family)]
    for _ in range(5):
        family.go("reverse-stepi")
        there.append(place(family))
    assert len(set(there)) == 6
    for expected in there[4:0:-1]:
        family.go("stepi")
        assert place(family) == expected


def test_breakpoints_back_and_forth(family):
    family.type("break work")
    family.type("break main")
    forward = []
    for _ in range(3):
        stop = family.go("continue")
        forward.append((stop.get("reason"), place(family)))
    back = []
    for _ in range(2):
        stop = family.go("reverse-continue")
        back.append((stop.get("reason"), place(family)))
    assert back == forward[1::-1]
    stop = family.go("continue")
    assert (stop.get("reason"), place(family)) == forward[1]
