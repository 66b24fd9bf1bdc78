"""Debian's gdb goes back in time, on four processors."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from images import cpio, prebuilt
from tests.gdbstub.gdb import GDB, ROOT, GdbError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GDB is None, reason="gdb is not installed"),
]
RACE = Path(__file__).parent / "guests" / "race.c"
_MOST_SEEDS = 40


def place(gdb):
    """Return everything by which two looks at one point can differ."""
    counts = re.search(r"(\d+) on all", gdb.type("monitor time"))[1]
    registers = [gdb.value(f"${name}") for name in ("rip", "rsp", "rax", "rbx", "eflags")]
    return gdb.value("$_thread"), counts, *registers


def test_instructions_back_and_forth(attached):
    attached.type("break sys_getpid")
    attached.go("continue")
    attached.type("delete")
    there = [place(attached)]
    for _ in range(4):
        attached.go("reverse-stepi")
        there.append(place(attached))
    assert len(set(there)) == 5
    for expected in there[3:0:-1]:
        attached.go("stepi")
        assert place(attached) == expected
    assert attached.go("continue").get("reason") == "no-history" or place(attached) == there[0]
    assert place(attached) == there[0]


def test_breakpoints_back_and_forth(attached):
    attached.type("break sys_write")
    forward = []
    for _ in range(3):
        assert attached.go("continue")["reason"] == "breakpoint-hit"
        forward.append(place(attached))
    back = []
    for _ in range(2):
        assert attached.go("reverse-continue")["reason"] == "breakpoint-hit"
        back.append(place(attached))
    assert back == forward[1::-1]
    for expected in forward[1:]:
        assert attached.go("continue")["reason"] == "breakpoint-hit"
        assert place(attached) == expected


def test_the_beginning(attached):
    attached.type("break sys_getpid")
    attached.go("continue")
    attached.type("delete")
    start = len(attached.records)
    attached.go("reverse-continue")
    said = "".join(str(r["payload"]) for r in attached.records[start:])
    assert re.search(r"No more reverse-execution history|Reached end of recorded history", said)
    assert place(attached)[1] == "0"


def test_source_lines_and_functions(attached):
    attached.type("break sys_getpid")
    attached.go("continue")
    attached.go("stepi")
    attached.go("reverse-step")
    assert "sys_getpid" in attached.value("$pc")
    attached.type("delete")
    attached.type("break sys_write")
    assert "sys_getpid" in attached.go("continue")["frame"]["func"]  # where the recording ends
    assert attached.go("continue")["frame"]["func"] == "sys_write"
    here = place(attached)
    assert attached.go("reverse-finish")["frame"]["func"] != "sys_write"
    attached.go("stepi")
    assert attached.do("-stack-info-frame")["frame"]["func"] == "sys_write"
    assert place(attached) == here


def test_bookmarks(attached):
    attached.type("break sys_getpid")
    attached.go("continue")
    here = place(attached)
    attached.type("monitor bookmark pid")
    attached.type("delete")
    attached.type("break sys_write")
    attached.go("continue")
    assert "reverse-continue" in attached.type("monitor goto pid")
    attached.go("reverse-continue")
    assert place(attached) == here
    timeline = attached.type("monitor timeline")
    assert "bookmark pid" in timeline
    assert "end of what is recorded" in timeline
    assert "now type: continue" in attached.type("monitor goto +1000")
    attached.type("delete")
    attached.go("continue")
    assert int(place(attached)[1]) - int(here[1]) == 1000


def test_no_history_on_demand(boot, gdb):
    gdb.type(f"target remote {boot('--history', '0').address}")
    with pytest.raises(GdbError, match="support"):
        gdb.type("reverse-stepi")


def test_ctrl_c_and_the_end(attached):
    """The machine goes on from the past to its present and beyond, and all of it ends at once."""
    attached.type("break sys_write")
    attached.go("continue")
    attached.go("reverse-stepi")
    attached.type("delete")
    assert attached.go("continue")["frame"]["func"] == "sys_write"
    attached.do("-exec-continue")
    attached.interrupt()
    assert attached.stop()["signal-name"] == "SIGINT"
    process = attached.guest.process
    attached.type("kill")
    assert process.wait(20) == 130
    assert subprocess.run(["pgrep", "-f", str(attached.guest.serial)], check=False).returncode == 1


def test_a_killed_session_leaves_nobody(attached):
    attached.type("break sys_write")
    attached.go("continue")
    attached.go("reverse-stepi")
    attached.guest.process.send_signal(signal.SIGKILL)
    attached.guest.process.wait(20)
    for _ in range(100):
        left = subprocess.run(
            ["pgrep", "-r", "R,S,D", "-f", str(attached.guest.serial)], check=False
        )
        if left.returncode == 1:
            return
    raise AssertionError("a copy is left")


def test_the_run_is_the_one_that_nobody_looks_at(boot, gdb, tmp_path):
    """Four processors, breakpoints, and the way back and forth: the same state at each time."""
    arguments = ["--timeout", "0.2", "--state-hash-every", "20000000:"]
    alone, watched = tmp_path / "alone", tmp_path / "watched"
    says([*arguments[:-1], arguments[-1] + str(alone), "--serial", "null"], 0)
    guest = boot(*arguments[:-1], arguments[-1] + str(watched))
    gdb.type(f"target remote {guest.address}")
    gdb.type("break sys_write")
    for _ in range(2):
        for command in ("continue", "continue", "stepi", "reverse-continue", "reverse-stepi"):
            gdb.go(command)
    gdb.type("delete")
    while gdb.go("continue").get("reason") != "exited":
        pass
    assert guest.end()[0] == 36
    assert watched.read_text() == alone.read_text()
    assert len(alone.read_text().splitlines()) == 10


def test_a_trace_experiment_stays_with_its_frames(attached):
    """Its tracepoints and frames go along; it has ended, and says why (I4)."""
    attached.type("trace sys_getpid")
    attached.type("tstart")
    attached.type("break sys_write")
    attached.go("continue")
    assert "Collected 1 trace frame" in attached.type("tstatus")
    attached.go("reverse-stepi")
    status = attached.type("tstatus")
    assert "brought to another time" in status
    assert "Collected 1 trace frame" in status
    assert "Found trace frame 0" in attached.type("tfind 0")
    assert "sys_getpid" in attached.value("$pc")


# -- a race


@pytest.fixture(scope="module")
def race(tmp_path_factory):
    """The arguments that boot a machine whose one program is the race; and the program."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc on this host")
    folder = tmp_path_factory.mktemp("race")
    program, archive = folder / "race", folder / "race.cpio"
    command = ["gcc", "-static", "-g", "-O1", "-pthread", "-no-pie", "-o", program, RACE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cannot find -lc" in done.stderr:
        pytest.skip("no static C library on this host")
    assert not done.returncode, done.stderr
    init = cpio.Member("/sbin/init", program.read_bytes(), 0o100755)
    archive.write_bytes(cpio.archive([init], 1))
    words = ("-m", "64M", "--smp", "4", "--framebuffer", "none", "--kernel", prebuilt.kernel())
    return [*map(str, words), "--initrd", str(archive)], program


def says(arguments, seed):
    """Return what a machine writes to its serial port."""
    command = [sys.executable, "-m", "pykern", "boot", *arguments, "--seed", str(seed)]
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def seed(race):
    """A seed on which the race is lost; on others it is won."""
    results = []
    for candidate in range(_MOST_SEEDS):
        results.append("lost" in says(race[0], candidate))
        if len(set(results)) == 2:
            return results.index(True)
    raise AssertionError(f"the race always ends alike: {results}")


def test_the_write_that_lost_the_race(race, seed, boot, gdb):
    """From the loss to the write and its processor, twice, with the same result."""
    arguments, program = race
    gdb.type(f"target remote {boot(*arguments, '--seed', str(seed)).address}")
    gdb.type(f"add-symbol-file {program}")
    gdb.type("break lost")
    gdb.go("continue")
    loss = place(gdb)
    found = []
    for _ in range(2):
        gdb.type(f"watch *(long*){gdb.value('(long)&balance')}")
        writes = []
        for _ in range(3):
            stop = gdb.go("reverse-continue")
            assert stop["reason"] == "watchpoint-trigger"
            assert stop["frame"]["func"] == "pay"
            writes.append((place(gdb), gdb.value("balance"), stop["value"]["old"]))
        found.append(writes)
        gdb.type("delete")
        gdb.type("break lost")
        gdb.go("continue")
        assert place(gdb) == loss
    assert found[0] == found[1]
    assert len(set(found[0])) == 3
