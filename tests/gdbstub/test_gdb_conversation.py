"""The width of the conversation, with gdb itself: modes of processors, of running, of looking."""

from __future__ import annotations

import contextlib
import re
import subprocess

import pytest

from images import prebuilt
from images.boot import loader
from tests.gdbstub.gdb import GDB, Gdb, GdbError
from tests.guest import assemble

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GDB is None, reason="gdb is not installed"),
]
SPIN = "1: inc dword ptr [0x500]\njmp 1b"


@pytest.fixture
def sector(tmp_path):
    """Return what writes a boot sector of 16-bit code."""

    def write(source):
        path = tmp_path / "sector"
        path.write_bytes(assemble(source, 16, 0x7C00).ljust(510, b"\0") + b"\x55\xaa")
        return str(path)

    return write


# -- 16, 32 and 64 bits


def look_as(gdb, architecture):
    gdb.type(f"monitor arch {architecture}")
    gdb.type("unset tdesc filename")


def place(folder, name, pattern):
    """Return the address of the first instruction like that behind a symbol of the boot loader."""
    elf = loader.build(folder).with_suffix(".elf")
    symbols = subprocess.run(["nm", elf], capture_output=True, text=True, check=True).stdout
    start = int(re.search(rf"^(\w+) \w {name}$", symbols, re.MULTILINE)[1], 16)
    code = subprocess.run(
        ["objdump", "-d", "-j", ".text", f"--start-address={start:#x}", elf],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return start, int(re.search(rf"^ *(\w+):\t.*\t{pattern}", code, re.MULTILINE)[1], 16)


def test_the_boot_loader_step_by_step_from_real_mode_to_long_mode(boot, gdb, tmp_path):
    gdb.type(f"target remote {boot('--firmware', 'bios', prebuilt.default_image()).address}")
    look_as(gdb, "i8086")
    gdb.type("hbreak *0x7c40")
    gdb.go("continue")
    assert gdb.type("x/2i $pc").split() == "=> 0x7c40: cli 0x7c41: cld".split()
    gdb.go("stepi")
    gdb.go("stepi")
    assert re.search(r"ljmp +\$0x0,\$0x7c47", gdb.type("x/i $pc"))
    gdb.go("stepi")
    assert (gdb.value("$ip"), gdb.value("$cs")) == (str(0x7C47), "0")
    gdb.type("delete")

    # To protected mode: the far jump that to_protected ends with.
    _, jump = place(tmp_path, "to_protected", "ljmp")
    gdb.type(f"hbreak *{jump:#x}")
    gdb.go("continue")
    assert gdb.value("$mode") == "16"
    gdb.go("stepi")
    assert gdb.value("$mode") == "32"
    look_as(gdb, "i386")
    assert re.search(r"mov +\$0x20,%bx", gdb.type("x/i $pc"))
    gdb.go("stepi")
    assert gdb.value("$bx") == "32"
    gdb.type("delete")

    # To long mode: out of enter_kernel, and to the kernel's first instruction.
    start, _ = place(tmp_path, "enter_kernel", "wrmsr")
    gdb.type(f"hbreak *{start:#x}")
    gdb.go("continue")
    for _ in range(40):
        if gdb.value("$mode") == "64":
            break
        gdb.go("stepi")
    look_as(gdb, "i386:x86-64")
    assert re.search(r"mov +%esi,%esi", gdb.type("x/i $pc"))
    assert gdb.type("print $efer").endswith("= [ LME LMA NXE ]\n")
    for _ in range(40):
        if int(gdb.value("(unsigned long)$rip")) >> 63:
            break
        gdb.go("stepi")
    assert gdb.value("$rip").split()[0] == "0xffffffff80000000"


# -- processors one by one


def test_non_stop(boot, gdb):
    guest = boot()
    for setting in ("non-stop on", "displaced-stepping off"):
        gdb.type(f"set {setting}")
    gdb.do(f"-target-select remote {guest.address}")
    initial = [gdb.stop()["thread-id"] for _ in range(4)]
    assert sorted(initial) == ["1", "2", "3", "4"]
    gdb.type("break sys_getpid")
    gdb.do("-exec-continue --all")
    stop = gdb.stop()
    assert stop["frame"]["func"] == "sys_getpid"
    assert stop["stopped-threads"] == [stop["thread-id"]]
    states = {t["id"]: t["state"] for t in gdb.do("-thread-info")["threads"]}
    assert states.pop(stop["thread-id"]) == "stopped"
    assert set(states.values()) == {"running"}
    gdb.do(f"-thread-select {stop['thread-id']}")
    assert "sys_getpid" in gdb.type("x/i $pc")
    gdb.do("-exec-interrupt --all")
    stopped = {gdb.stop()["thread-id"] for _ in range(3)}
    assert stopped == states.keys()


def test_a_locked_scheduler_leaves_the_others_where_they_are(attached):
    attached.type("break sys_getpid")
    stop = attached.go("continue")
    attached.type("set scheduler-locking on")
    others = [
        t["id"] for t in attached.do("-thread-info")["threads"] if t["id"] != stop["thread-id"]
    ]

    def places():
        return [
            attached.do(f"-data-evaluate-expression --thread {t} --frame 0 $rip") for t in others
        ]

    before = places()
    for _ in range(5):
        attached.go("stepi")
    assert places() == before


# -- going away and coming again


def test_one_gdb_after_another(attached):
    attached.type("break sys_getpid")
    attached.go("continue")
    attached.type("disconnect")
    second = Gdb()
    second.type(f"target remote {attached.guest.address}")
    assert int(second.value("(unsigned long)$rip")) >> 63
    assert "ns;" in second.type("monitor time")
    second.type("detach")
    attached.type(f"target remote {attached.guest.address}")
    assert "ns;" in attached.type("monitor time")
    second.close()


def test_run_begins_again(boot, gdb):
    gdb.type(f"target extended-remote {boot().address}")
    gdb.type("break sys_getpid")
    gdb.go("continue")
    before = int(re.match(r"\d+", gdb.type("monitor time"))[0])
    gdb.type("set remote exec-file /boot/pykern.elf")
    assert gdb.go("run")["frame"]["func"] == "sys_getpid"
    assert int(re.match(r"\d+", gdb.type("monitor time"))[0]) > before


def test_an_observer_sees_what_the_other_does_and_changes_nothing(boot, gdb, tmp_path):
    guest = boot("--gdb-observer", f"unix:{tmp_path / 'look'}")
    gdb.type(f"target remote {guest.address}")
    gdb.type("break sys_getpid")
    gdb.go("continue")
    observer = Gdb()
    observer.type(f"target remote {tmp_path / 'look'}")
    thread = gdb.do("-thread-info")["current-thread-id"]
    observer.do(f"-thread-select {thread}")
    assert observer.value("$rsp") == gdb.value("$rsp")
    assert "PML4E" in observer.type("monitor walk 0")
    assert "an observer may ask for" in observer.type("monitor power")
    place = observer.do(f"-data-evaluate-expression --thread {thread} --frame 0 $rip")
    for command in ("set $rax = 1", "set {int}$rsp = 1"):
        with pytest.raises(GdbError, match=r"ould not write|Cannot access memory|only looks"):
            observer.type(command)
    with contextlib.suppress(GdbError):  # gdb 13 says it of a stop
        observer.go("stepi")
    again = observer.do(f"-data-evaluate-expression --thread {thread} --frame 0 $rip")
    assert again == place
    observer.close()
    assert gdb.go("stepi")["reason"] == "end-stepping-range"


# -- interrupts and faults


def test_a_storm_of_ctrl_c(boot, gdb, sector):
    guest = boot("--protocol", "bootsector", sector(SPIN))
    gdb.type(f"target remote {guest.address}")
    counts = []
    for _ in range(20):
        gdb.do("-exec-continue")
        gdb.interrupt()
        assert gdb.stop()["signal-name"] == "SIGINT"
        counts.append(int(gdb.value("*(unsigned*)0x500")))
    assert counts == sorted(counts)
    assert gdb.go("stepi")["reason"] == "end-stepping-range"


def test_a_triple_fault_stops_before_the_end_and_is_explained(boot, gdb, sector):
    guest = boot("--protocol", "bootsector", sector("lidt [1f]\nud2\n1: .fill 6"))
    gdb.type(f"target remote {guest.address}")
    start = len(gdb.records)
    assert gdb.go("continue")["signal-name"] == "SIGABRT"
    said = "".join(r["payload"] for r in gdb.records[start:] if r["type"] == "target")
    assert "triple fault on CPU 0" in said
    assert "1. #UD at RIP 0x7c05" in said
    why = gdb.type("monitor why")
    assert "#UD" in why
    assert gdb.go("continue")["exit-code"] == "043"
    assert guest.end()[0] == 35


def test_a_fault_of_the_guest_as_a_signal(boot, gdb, sector):
    guest = boot("--protocol", "bootsector", sector("xor cx, cx\ndiv cx\nhlt"))
    gdb.type(f"target remote {guest.address}")
    assert gdb.type("monitor stop-on-fault #DE") == "stops at: #DE\n"
    start = len(gdb.records)
    assert gdb.go("continue")["signal-name"] == "SIGFPE"
    said = "".join(r["payload"] for r in gdb.records[start:] if r["type"] == "target")
    assert "#DE at RIP 0x7c02" in said


def test_the_kernel_says_whose_an_address_is(attached):
    attached.type("break sys_getpid")
    attached.go("continue")
    assert "null pointer" in attached.type("monitor why 0")
    assert "<sys_getpid>" in attached.type("monitor why $pc")
    assert "kernel stack" in attached.type("monitor why $sp")
    bottom = re.search(r"RSP0 (\w+)", attached.type("monitor tss"))[1]
    below = int(bottom, 16) - 0x2000 - 16
    assert "16 bytes below" in attached.type(f"monitor why {below:#x}")
    assert len(attached.type("monitor log 5").splitlines()) == 5


def test_memory_by_search_and_checksum(attached):
    found = attached.type("find &_start, +0x1000, (char)0xfc")
    assert "<_start>" in found
    assert "matched" in attached.type("compare-sections .text")
