"""Debian's gdb on the machine: what a user types, and what comes of it."""

from __future__ import annotations

import re

import pytest

from images import prebuilt
from tests.gdbstub.gdb import GDB, GdbError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GDB is None, reason="gdb is not installed"),
]


def test_symbols_come_without_being_asked_for(attached):
    assert attached.value("$pc").endswith("<_start>")
    listed = attached.type("list sys_getpid")
    assert "def getpid(thread: UserThread) -> int:" in listed
    assert "sys_getpid" in attached.type("info symbol sys_getpid")


def test_the_usual_command_line(boot, gdb):
    """MIC-14: `target remote :PORT`, then `symbol-file`."""
    port = boot(listen=":0").address.rpartition(":")[2]
    gdb.type(f"target remote :{port}")
    gdb.type(f"symbol-file {prebuilt.kernel()}")
    gdb.type("break sys_getpid")
    assert gdb.go("continue")["frame"]["func"] == "sys_getpid"


def test_the_kernels_file_first(boot, gdb):
    """MYR-19: `gdb kernel.elf`, `target remote`, `continue`."""
    gdb.type(f"file {prebuilt.kernel()}")
    gdb.type("break sys_getpid")
    gdb.type(f"target remote {boot().address}")
    assert gdb.go("continue")["frame"]["func"] == "sys_getpid"


def test_break_in_a_system_call_and_look(attached):
    attached.type("break sys_getpid")
    stop = attached.go("continue")
    assert stop["reason"] == "breakpoint-hit"
    assert stop["frame"]["func"] == "sys_getpid"
    assert stop["frame"]["file"] == "pykern/kernel/syscalls/process.py"
    trace = attached.type("backtrace")
    assert re.search(r"#1 .*\n#2 .* 0x0000000000\w+ in", trace), trace
    threads = attached.do("-thread-info")["threads"]
    assert [t["name"].split(":")[0] for t in threads] == ["cpu0", "cpu1", "cpu2", "cpu3"]
    assert [t["core"] for t in threads] == ["0", "1", "2", "3"]
    running = next(t for t in threads if t["id"] == stop["thread-id"])
    assert running["name"].endswith(":init")


def test_single_steps_over_a_hostcall(attached):
    attached.type("break sys_getpid")
    attached.go("continue")
    start = int(attached.value("(long)$pc"))
    places = []
    for _ in range(2):
        assert attached.go("stepi")["reason"] == "end-stepping-range"
        places.append(int(attached.value("(long)$pc")) - start)
    assert places == [5, 7]
    assert attached.value("$eax") == "1"  # what getpid gives the first process
    caller = int(attached.value("*(long*)$rsp"))
    attached.go("stepi")
    assert int(attached.value("(long)$pc")) == caller


def test_registers(attached):
    attached.type("break sys_getpid")
    attached.go("continue")
    assert attached.type("print $cr0").endswith("= [ PE MP ET NE WP PG ]\n")
    assert attached.type("print $efer").endswith("= [ SCE LME LMA NXE ]\n")
    everything = attached.type("info registers")
    assert {"k_gs_base", "cr3", "cr8", "idtr"} <= set(re.findall(r"^\w+", everything, re.MULTILINE))
    assert attached.type("info registers gs_base").startswith("gs_base  ")
    attached.type("set $rbx = 0x1122334455667788")
    assert attached.value("$rbx") == str(0x1122334455667788)
    attached.type("set $xmm3.uint128 = 77")
    assert attached.value("$xmm3.uint128") == "77"
    attached.type("set $ymm3.v4_int64[3] = 5")
    assert attached.value("$ymm3.v4_int64") == "{77, 0, 0, 5}"


def test_memory(attached):
    attached.type("set {long}&limine_requests = 0x42")
    assert attached.value("{long}&limine_requests") == "66"
    with pytest.raises(GdbError, match="Cannot access memory at address 0x800000000000"):
        attached.type("x/4x 0x800000000000")
    # The kernel's own code by physical address, as QEMU's packets have it.
    paddr = re.search(r"physical (\w+)", attached.type("monitor translate 0xffffffff80000000"))[1]
    code = attached.value("*(unsigned long*)&_start")
    attached.type("maintenance packet Qqemu.PhyMemMode:1")
    attached.type("maintenance flush dcache")
    assert attached.value(f"*(unsigned long*){paddr}") == code


# 16-bit code at 7C00h: loop: incw 0x500; mov 0x600, %ax; jmp loop
COUNTER = bytes.fromhex("ff060005 a10006 ebf7").ljust(510, b"\0") + b"\x55\xaa"


@pytest.fixture
def counter(boot, gdb, tmp_path):
    """A gdb at a boot sector that counts."""
    (tmp_path / "sector").write_bytes(COUNTER)
    gdb.guest = boot("--protocol", "bootsector", str(tmp_path / "sector"))
    gdb.type(f"target remote {gdb.guest.address}")
    return gdb


def test_watch_memory(counter):
    counter.type("watch *(short*)0x500")
    for count in range(1, 4):
        stop = counter.go("continue")
        assert stop["reason"] == "watchpoint-trigger"
        assert stop["value"]["new"] == str(count)
    counter.type("delete")
    counter.type("rwatch *(short*)0x600")
    assert counter.go("continue")["reason"] == "read-watchpoint-trigger"
    assert counter.value("$pc").split()[0] == "0x7c07"


def test_conditional_breakpoint(counter):
    counter.type("hbreak *0x7c04 if *(short*)0x500 == 20")
    assert counter.go("continue")["reason"] == "breakpoint-hit"
    assert counter.value("*(short*)0x500") == "20"


def test_interrupt_a_running_machine(counter):
    counter.do("-exec-continue")
    counter.interrupt()
    assert counter.stop()["signal-name"] == "SIGINT"
    assert int(counter.value("*(unsigned short*)0x500")) > 0


def test_real_mode_as_real_mode(counter):
    counter.type("monitor arch i8086")
    counter.type("unset tdesc filename")
    assert "i8086" in counter.type("show architecture")
    assert "incw   0x500" in counter.type("x/i $pc")
    counter.go("stepi")
    assert counter.value("$eip").split()[0] == "0x7c04"
    counter.type("monitor arch x86-64")
    counter.type("unset tdesc filename")
    assert counter.value("$rip").split()[0] == "0x7c04"
    counter.go("stepi")
    assert counter.value("$rip").split()[0] == "0x7c07"


def test_nothing_differs_for_being_looked_at(boot, gdb, tmp_path):
    def guest(name, *, wait):
        hashes = f"1000000:{tmp_path / name}"
        return boot("--timeout", "0.045", "--state-hash-every", hashes, wait=wait)

    alone = guest("alone", wait=False)
    assert alone.end()[0] == 36
    gdb.type(f"target remote {guest('watched', wait=True).address}")
    gdb.type("break sys_write")
    gdb.type("watch *(int*)0xffffffff80007200")
    for _ in range(3):
        assert gdb.go("continue")["reason"] == "breakpoint-hit"
        for _ in range(15):
            gdb.go("stepi")
        gdb.go("next")
    gdb.type("delete")
    assert gdb.go("continue")["reason"] == "exited"
    assert (tmp_path / "watched").read_text() == (tmp_path / "alone").read_text()


def test_the_end_of_the_guest(boot, gdb):
    guest = boot("--timeout", "0.001")
    gdb.type(f"target remote {guest.address}")
    stop = gdb.go("continue")
    assert stop == {"reason": "exited", "exit-code": "044"}
    assert guest.end()[0] == 36


def test_kill_ends_the_machine(attached):
    attached.type("kill")
    assert attached.guest.end()[0] == 130


def test_detach_and_come_again(attached):
    attached.type("break sys_getpid")
    attached.go("continue")
    attached.type("delete")
    attached.type("detach")
    attached.type(f"target remote {attached.guest.address}")
    assert int(attached.value("(long)$pc")) != 0


def test_monitor(attached):
    attached.type("break sys_getpid")
    attached.go("continue")
    listing = attached.type("monitor help")
    for command in re.findall(r"^(\w+) +[^A-Z]", listing, re.MULTILINE):
        if command not in {"power", "quit", "reset", "system_reset"}:
            assert attached.type(f"monitor {command}")
    assert "PML4E" in attached.type("monitor walk 0xffffffff80000000")
    assert "page not present" in attached.type("monitor walk 0x1000")
    assert "usage: monitor walk ADDR" in attached.type("monitor walk")
    assert "no command 'cease'" in attached.type("monitor cease")
