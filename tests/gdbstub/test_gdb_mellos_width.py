"""The width of the conversation on MelloOS and 4 processors, several features to a session."""

from __future__ import annotations

import re

import pytest

from tests import booting
from tests.gdbstub.gdb import GDB, GdbError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GDB is None, reason="gdb is not installed"),
]
_TAKES_EFFECT = {"power", "quit", "reset", "system_reset", "view", "py", "frame", "goto"}
"""Commands of `monitor` that are not only looked at, or belong to another session."""


@pytest.fixture(scope="module")
def iso(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "mellos.iso"
    path.write_bytes(booting.image("mellos"))
    return str(path)


@pytest.fixture
def sending(boot, gdb, iso):
    """A gdb in the CPU view, at the sender's system call."""
    gdb.guest = boot(iso, "--smp", "4")
    gdb.type(f"target remote {gdb.guest.address}")
    gdb.type("break sys_ipc_send if $rdi == 2")
    assert gdb.go("continue")["frame"]["func"] == "sys_ipc_send"
    return gdb


@pytest.fixture
def processes(boot, gdb, iso):
    """A gdb in the OS view, at the first process."""
    gdb.type(f"target remote {boot(iso, '--smp', '4', view='--gdb-os').address}")
    gdb.type("set schedule-multiple on")
    gdb.go("continue")
    return gdb


def said(gdb, start):
    return "".join(r["payload"] for r in gdb.records[start:] if r["type"] == "target")


def places(gdb):
    """Return where each processor is."""
    evaluate = "-data-evaluate-expression --thread {} --frame 0 $rip"
    threads = gdb.do("-thread-info")["threads"]
    return {t["id"]: gdb.do(evaluate.format(t["id"]))["value"] for t in threads}


def test_registers_memory_and_tables(sending):
    gdb = sending
    gdb.type("set $ymm3.v4_int64[3] = 5")
    assert gdb.value("$ymm3.v4_int64") == "{0, 0, 0, 5}"
    assert gdb.type("print $efer").endswith("= [ SCE LME LMA NXE ]\n")
    assert int(gdb.value("(unsigned long)$gs_base")) >> 63
    paddr = re.search(r"physical (\w+)", gdb.type("monitor translate $pc"))[1]
    code = gdb.value("*(unsigned long*)$pc")
    gdb.type("maintenance packet Qqemu.PhyMemMode:1")
    gdb.type("maintenance flush dcache")
    assert gdb.value(f"*(unsigned long*){paddr}") == code
    gdb.type("maintenance packet Qqemu.PhyMemMode:0")
    assert "<_start>" in gdb.type("find &_start, +0x1000, (char)0xfc")
    assert "matched" in gdb.type("compare-sections .text")
    for table in re.findall(r"^([a-z]\w+) ", gdb.type("info os"), re.MULTILINE):
        assert gdb.type(f"info os {table}") or table == "locks", table
    assert re.search(r"^2 .* 0 +$", gdb.type("info os ports"), re.MULTILINE)
    assert re.search(r"^ipc_sends +1", gdb.type("info os metrics"), re.MULTILINE)


def test_from_the_program_into_python(sending):
    gdb = sending
    gdb.type("add-symbol-file target:/bin/mellos/sender")
    names = [f.get("func") for f in gdb.do("-stack-list-frames")["stack"]]
    assert names == ["sys_ipc_send", "<signal handler called>", "main"]
    assert gdb.go("next")["frame"]["func"] == "ipc.ipc_send"
    line = int(gdb.go("next")["frame"]["line"])
    assert gdb.type("monitor py port, len_").startswith("(2, ")
    assert '"<Kernel>"' in gdb.type("info locals")
    gdb.type(f"break ipc.py:{line + 1}")
    assert gdb.go("finish")["reason"] in {"breakpoint-hit", "end-stepping-range"}
    assert "monitor frame" not in gdb.type("monitor frame")


def test_every_command_of_monitor_answers(sending):
    gdb = sending
    listed = re.findall(r"^(\S+) (\[?[A-Z]\S*)?", gdb.type("monitor help"), re.MULTILINE)
    assert len(listed) > 20
    for name, argument in listed:
        if name in _TAKES_EFFECT or (argument and not argument.startswith("[")):
            continue
        answer = gdb.type(f"monitor {name}")
        assert answer, name
        assert "Traceback" not in answer, name
    assert "kernel stack" in gdb.type("monitor why $sp")
    assert "<sys_ipc_send>" in gdb.type("monitor why $pc")
    assert "pending: none" in gdb.type("monitor apic")
    assert "perhaps timeline" in gdb.type("monitor tmeline")


def test_time_and_who_comes_and_goes(sending):
    gdb = sending
    gdb.type("monitor bookmark sent")
    there = gdb.value("$pc"), gdb.type("monitor time")
    gdb.type("delete")
    gdb.go("stepi 50")
    gdb.type("monitor goto sent")
    gdb.go("reverse-continue")
    assert (gdb.value("$pc"), gdb.type("monitor time")) == there
    gdb.type("set scheduler-locking on")
    before = places(gdb)
    gdb.go("stepi")
    after = places(gdb)
    assert sum(after[thread] != before[thread] for thread in before) == 1
    gdb.type("set scheduler-locking replay")
    gdb.type("detach")
    assert gdb.guest.end()[0] == 0, "it passes its tests, nothing has been left behind"


def test_a_fault_is_explained_before_its_handler(sending):
    gdb = sending
    gdb.type("delete")
    assert "stops at" in gdb.type("monitor stop-on-fault #PF")
    gdb.type("set $rip = 0xffffb000deadb000")
    start = len(gdb.records)
    assert gdb.go("continue")["signal-name"] == "SIGSEGV"
    for words in ("#PF", "0xffffb000deadb000", "not present", "the range of kernel stacks"):
        assert words in said(gdb, start), said(gdb, start)
    assert "IDT" in gdb.type("monitor why").upper()


def test_a_triple_fault_is_explained_and_the_machine_begins_again(boot, gdb, iso):
    gdb.type(f"target extended-remote {boot(iso, '--smp', '4').address}")
    gdb.do("-exec-continue")
    gdb.interrupt()
    assert gdb.stop()["signal-name"] == "SIGINT"
    gdb.type("break sys_ipc_send")
    gdb.go("continue")
    gdb.type("set $idtr_limit = 0")
    gdb.type("set $rip = 0x10")
    start = len(gdb.records)
    assert gdb.go("continue")["signal-name"] == "SIGABRT"
    assert re.search(r"triple fault on CPU \d", said(gdb, start))
    assert "1. #PF at RIP 0x10" in said(gdb, start)
    gdb.type("set remote exec-file /boot/pykern.elf")
    assert gdb.go("run")["frame"]["func"] == "sys_ipc_send"


def test_processors_one_by_one(boot, gdb, iso):
    guest = boot(iso, "--smp", "4")
    for setting in ("non-stop on", "displaced-stepping off"):
        gdb.type(f"set {setting}")
    gdb.do(f"-target-select remote {guest.address}")
    assert sorted(gdb.stop()["thread-id"] for _ in range(4)) == ["1", "2", "3", "4"]
    gdb.type("break sys_ipc_send")
    gdb.do("-exec-continue --all")
    stop = gdb.stop()
    assert stop["stopped-threads"] == [stop["thread-id"]]
    states = {t["id"]: t["state"] for t in gdb.do("-thread-info")["threads"]}
    assert sorted(states.values()) == ["running", "running", "running", "stopped"]
    gdb.do("-exec-interrupt --all")
    assert {gdb.stop()["thread-id"] for _ in range(3)} == states.keys() - {stop["thread-id"]}


def test_processes_their_calls_and_ends(processes):
    gdb = processes
    gdb.type("catch syscall write")
    stop = gdb.go("continue")
    assert (stop["reason"], stop["syscall-name"]) == ("syscall-entry", "write")
    assert gdb.value("$orig_rax") == "0", "its number in MelloOS (MEL-12)"
    assert gdb.value("*(char*)$rsi@10") == '"[USERLAND]"'
    names = [f.get("func") for f in gdb.do("-stack-list-frames")["stack"]]
    assert names[-1] == "main"
    assert gdb.go("continue")["reason"] == "syscall-return"
    assert int(gdb.value("$rax")) > 10
    gdb.type("delete")
    assert re.search(r"AT_EXECFN .*/bin/mellos/init", gdb.type("info auxv"))
    assert "[stack]" in gdb.type("info proc mappings")
    assert "exe = '/bin/mellos/init'" in gdb.type("info proc")
    assert "[stack]" in gdb.type("monitor maps")
    stop = gdb.go("continue")
    assert stop["signal-name"] == "SIGTRAP", "another process begins"
    backtraces = gdb.type("thread apply all bt")
    assert re.search(r"sleeping in sleep > sleep_until\)\):\n(.*\n)*?#\d .*main \(\)", backtraces)
    assert re.search(r"#\d+ .* BringUp.kernel_init \(", backtraces)
    gdb.type("set breakpoint pending on")
    assert "pending" in gdb.type("break not_there_yet")
    stop = gdb.go("continue")
    assert (stop["reason"], stop.get("exit-code")) == ("exited-normally", None)
    assert re.search(r"^\* +1 +0 init +sleeping", gdb.type("monitor ps"), re.MULTILINE)
    with pytest.raises(GdbError, match="not being run"):
        gdb.type("continue")
