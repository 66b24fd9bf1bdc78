"""Sessions with gdb on MelloOS and 4 processors: what the others show on the default image."""

from __future__ import annotations

import re

import pytest

from tests import booting
from tests.gdbstub.gdb import GDB

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GDB is None, reason="no gdb on this host (PYKERN_GDB names another)"),
]


@pytest.fixture(scope="module")
def iso(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "mellos.iso"
    path.write_bytes(booting.image("mellos"))
    return path


@pytest.fixture
def mellos(boot, gdb, iso):
    """A gdb at the machine's first instruction."""
    gdb.guest = boot(str(iso), "--smp", "4")
    gdb.type(f"target remote {gdb.guest.address}")
    return gdb


@pytest.fixture
def processes(boot, gdb, iso, tmp_path):
    """A gdb in the OS view, at the first process."""
    door = tmp_path / "os.sock"
    guest = boot(str(iso), "--smp", "4", "--gdb-os", f"unix:{door}")
    assert str(door) in guest.process.stderr.readline()
    gdb.type(f"target remote {door}")
    gdb.go("continue")
    return gdb


def test_symbols_source_and_processors(mellos):
    mellos.type("break sys_ipc_send")
    assert "def ipc_send" in mellos.type("list sys_ipc_send")
    assert mellos.go("continue")["frame"]["func"] == "sys_ipc_send"
    threads = mellos.do("-thread-info")["threads"]
    assert len(threads) == 4
    assert all(re.match(r"cpu\d:", thread["name"]) for thread in threads)
    assert "<signal handler called>" in mellos.type("backtrace"), "the program is below the gate"


def test_conditions_are_evaluated_by_the_stub(mellos):
    mellos.type("break sys_ipc_send if $rdi == 2")
    stop = mellos.go("continue")
    assert mellos.value("$rdi") == "2"
    assert stop["reason"] == "breakpoint-hit"
    assert "1 time" in mellos.type("info breakpoints")


def test_a_watched_write_and_the_way_back_to_it(mellos):
    mellos.type("break sys_ipc_send")
    mellos.go("continue")
    mellos.type("delete")
    mellos.type("watch *(long*)$rsp")
    mellos.go("continue")
    there = mellos.value("$pc"), mellos.value("*(long*)$rsp")
    mellos.go("stepi")
    mellos.go("reverse-stepi")
    assert (mellos.value("$pc"), mellos.value("*(long*)$rsp")) == there


def test_back_to_a_breakpoint(mellos):
    mellos.type("break sys_ipc_send")
    mellos.go("continue")
    first = mellos.type("monitor time")
    mellos.go("continue")
    assert mellos.go("reverse-continue")["reason"] == "breakpoint-hit"
    assert mellos.type("monitor time") == first


def test_tracepoints(mellos):
    mellos.type("set default-collect $regs")
    mellos.type("trace sys_ipc_send")
    mellos.type("break sys_ipc_send")
    mellos.type("ignore 2 3")
    mellos.type("tstart")
    assert mellos.go("continue")["reason"] == "breakpoint-hit"
    mellos.type("tstop")
    assert re.search(r"Collected [34] trace frames", mellos.type("tstatus"))


def test_branches_are_recorded(mellos):
    mellos.type("break sys_ipc_send")
    mellos.go("continue")
    mellos.type("delete")
    mellos.type("record btrace")
    mellos.go("stepi 4")
    history = mellos.type("record function-call-history")
    assert history.splitlines()[0].split() == ["1", "sys_ipc_send"]
    assert "out" in mellos.type("record instruction-history")
    mellos.type("record stop")


def test_processes_and_their_tables(processes):
    tables = processes.type("info os")
    assert {"processes", "ports", "runqueues"} <= set(tables.split())
    assert "init" in processes.type("info os processes")
    assert re.search(r"\b15\b", processes.type("info os ports")), "16 system ports"


def test_faults_and_tables_are_explained(mellos):
    mellos.type("break sys_ipc_send")
    mellos.go("continue")
    assert "PML4E" in mellos.type("monitor walk $rsp")
    assert "TIMER" in mellos.type("monitor apic").upper()
    assert "page not present" in mellos.type("monitor why 0x10")
