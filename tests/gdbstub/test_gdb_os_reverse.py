"""Debian's gdb goes back in time among processes: tasks step back wherever they were executed."""

from __future__ import annotations

import re

import pytest

from tests.gdbstub.gdb import GDB, Gdb
from tests.gdbstub.test_gdb_processes import PROGRAMS, at_first_process, boot, executables
from tests.gdbstub.test_gdb_reverse import place

__all__ = ["PROGRAMS", "boot"]
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


def test_lines_and_functions_backwards(family):
    """reverse-next passes a call as a whole, reverse-step goes into it from its end (I4)."""
    family.type("break family.c:41")
    family.go("continue")
    family.type("delete")
    assert family.value("total") == "15"
    for _ in range(4):
        frame = family.go("reverse-next")["frame"]
        assert (frame["func"], int(frame["line"]) <= 41) == ("main", True)
    assert family.value("total") != "15"
    family.type("break family.c:41")
    assert family.go("continue")["frame"]["line"] == "41"
    family.type("delete")
    while family.go("reverse-step")["frame"]["func"] == "main":
        continue
    assert family.do("-stack-info-frame")["frame"]["func"] == "work"
    before = int(family.value("total"))
    assert family.go("reverse-finish")["frame"]["func"] == "main"
    assert int(family.value("total")) < before


def test_processes_that_are_not_there_yet(family):
    """They vanish, and come again; bookmarks and saved states are the same in this view (I4)."""

    def threads():
        return {t["target-id"] for t in family.do("-thread-info")["threads"]}

    family.type("break main")
    family.go("continue")
    family.type("delete")
    early, before = place(family), threads()
    family.type("monitor bookmark early")
    family.type("monitor save early")
    family.type("break finished")
    stop = family.go("continue")
    while stop.get("reason") != "breakpoint-hit":
        stop = family.go("continue")
    late, after = place(family), threads()
    family.type("delete")
    assert "reverse-continue" in family.type("monitor goto early")
    family.go("reverse-continue")
    assert place(family) == early
    assert threads() == before
    family.type("break work")
    stop = family.go("continue")
    while stop.get("reason") != "breakpoint-hit":
        stop = family.go("continue")
    assert "sibling" in str(executables(family)) or len(threads()) >= len(before)
    family.type("delete")
    family.type("monitor load early")
    family.go("continue")
    assert place(family) == early
    assert threads() == before
    assert late
    assert after


def test_a_watched_variable_of_a_program(family):
    """From the end back to each write, in the program's own memory."""
    family.type("break finished")
    stop = family.go("continue")
    while stop.get("reason") != "breakpoint-hit":
        stop = family.go("continue")
    family.type("delete")
    assert family.value("total") == "1025"
    family.type("watch total")
    values = []
    for _ in range(6):
        stop = family.go("reverse-continue")
        assert stop["reason"] == "watchpoint-trigger"
        values.append(family.value("total"))
    assert values == ["15", "10", "6", "3", "1", "0"]
    alive = re.search(r"^ +(\d+) .* sibling ", family.type("monitor ps"), re.MULTILINE)[1]
    assert f"process {alive}" not in family.type("info inferiors")
    family.type(f"monitor attach {alive}")
    assert "sibling" in family.type("info threads")


def test_what_gdb_writes_in_a_program_is_written_again(family):
    family.type("break work")
    family.go("continue")
    family.type("set var total = 100")
    there = []
    for _ in range(2):
        family.go("continue")
        there.append((place(family), family.value("total")))
    family.go("reverse-continue")
    family.go("reverse-continue")
    family.go("reverse-stepi")
    assert family.value("total") == "0"
    family.go("continue")
    assert family.value("total") == "100"
    for expected in there:
        family.go("continue")
        assert (place(family), family.value("total")) == expected


def test_what_the_hosted_kernel_has_written(family):
    """waitpid puts a status into the program's memory: back to before the call (I4)."""
    family.type("break finished")
    stop = family.go("continue")
    while stop.get("reason") != "breakpoint-hit":
        stop = family.go("continue")
    family.type("delete")
    after = family.value("ended")
    family.type("watch ended")
    stop = family.go("reverse-continue")
    assert stop["reason"] == "watchpoint-trigger"
    assert family.value("ended") == "0" != after
    stop = family.go("continue")
    assert stop["reason"] == "watchpoint-trigger"
    assert (stop["value"]["old"], stop["value"]["new"]) == ("0", after)


def test_a_state_of_a_program_in_another_run(family, boot, tmp_path):
    """What gdb wrote into a process is in the file, with the view it was written in (I4)."""
    family.type("break work")
    family.go("continue")
    family.type("set var total = 100")
    family.go("continue")
    family.type("delete")
    here = place(family), family.value("total")
    path = tmp_path / "state.json"
    assert "state" in family.type(f"monitor save {path}")
    family.guest.process.kill()
    family.guest.process.wait(20)
    other = Gdb()
    try:
        other.type(f"target remote {boot('', '--load', str(path), wait=False).address}")
        other.type("set schedule-multiple on")
        pid = re.search(r"^\W+(\d+) +process 1 ", other.type("info inferiors"), re.MULTILINE)[1]
        other.type(f"inferior {pid}")
        assert (
            (place(other)[1], other.value("total")) == (here[0][1], here[1]) == (here[0][1], "101")
        )
        other.type("break work")
        other.go("reverse-continue")
        assert other.value("total") in {"0", "100"}
    finally:
        other.close()
