"""What people type every day, with gdb itself, from a directory that is not the project's."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.gdbstub.gdb import GDB
from tests.pykern.debug.debugged_system import program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GDB is None, reason="gdb is not installed"),
]
PROGRAMS = {"/sbin/flows": "flows", "/bin/sibling": "sibling"}


@pytest.fixture
def flows(boot, gdb, initrd, tmp_path):
    """A gdb at `main` of flows, the first process."""
    options = ("--append", "init=/sbin/flows", "--initrd", str(initrd), "--smp", "2")
    gdb.guest = boot(*options, view="--gdb-os")
    gdb.type(f"cd {tmp_path}")
    gdb.type(f"target remote {gdb.guest.address}")
    gdb.type("set schedule-multiple on")
    gdb.go("continue")
    gdb.type("tbreak main")
    gdb.go("continue")
    return gdb


def test_sources_are_found_from_any_directory(boot, gdb, tmp_path):
    """Of hosted functions, of the image's own code, of programs."""
    door = tmp_path / "os.sock"
    guest = boot("--gdb-os", f"unix:{door}")
    gdb.type(f"cd {tmp_path}")
    gdb.type(f"target remote {guest.address}")
    assert "async def write(thread: UserThread, fd: Fd" in gdb.type("list sys_write")
    assert "_start" in gdb.type("list _start")
    assert "async def ipc_send" in gdb.type("list sys_ipc_send") or "def ipc_send" in gdb.type(
        "list sys_ipc_send"
    )
    gdb.type("disconnect")
    gdb.type(f"target remote {door}")
    gdb.go("continue")
    assert "int main(int argc, char *argv[])" in gdb.type("list main")


def test_the_door_of_processes_waits_as_well(boot, gdb):
    """`-S` with `--gdb-os` alone: gdb is there before the first instruction."""
    gdb.type(f"target remote {boot(view='--gdb-os').address}")
    assert gdb.type("monitor time").startswith("0 ns; 0 instructions")
    assert gdb.value("$pc").endswith("<_start>")


def test_the_tables_of_the_system_beside_processors(attached):
    attached.type("break sys_getpid")
    attached.go("continue")
    assert re.search(r"^runqueues +Threads", attached.type("info os"), re.MULTILINE)
    assert re.search(r"^1 +0 +1 +1 +running", attached.type("info os processes"), re.MULTILINE)
    assert "PTE" in attached.type("monitor walk sys_getpid")


def test_a_reset_stands_still_at_the_first_instruction(attached):
    attached.type("break sys_getpid")
    attached.go("continue")
    assert "flush register-cache" in attached.type("monitor reset")
    attached.type("maintenance flush register-cache")
    attached.type("thread 1")
    assert attached.value("$pc").endswith("<_start>")
    assert attached.go("stepi")["frame"]["line"] == "26"
    assert attached.go("continue")["frame"]["func"] == "sys_getpid"


def test_a_stop_in_what_was_not_let_go_on(gdb, boot):
    """Without `set schedule-multiple on` gdb lets one process go on, and a breakpoint of another
    is hit: its registers are those of now."""
    gdb.type(f"target remote {boot('--smp', '2', view='--gdb-os').address}")
    gdb.go("continue")
    gdb.type("inferior 1")
    gdb.type("break sys_write")
    gdb.type("inferior 2")
    stop = gdb.go("continue")
    assert stop["frame"]["func"] == "sys_write"
    arguments = {a["name"]: int(a["value"]) for a in stop["frame"]["args"]}
    assert arguments["fd"] == 1
    assert arguments["buf"] > 0x400000
    assert arguments["count"] > 1


def test_going_on_in_all_ways(flows):
    flows.type("tbreak sum_to")
    assert flows.go("continue")["frame"]["args"][0] == {"name": "last", "value": "4"}
    flows.go("next")
    flows.type("watch sum")
    assert [flows.go("continue")["value"]["new"] for _ in range(3)] == ["1", "3", "6"]
    flows.type("delete")
    flows.type("display sum")
    assert "1: sum = 6" in flows.type("display")
    flows.type("undisplay 1")
    while flows.go("until")["frame"]["line"] != "24":
        pass
    assert flows.go("advance twice")["frame"]["func"] == "main", "it was left before"
    assert flows.go("advance twice")["frame"]["func"] == "twice"
    assert flows.value("*value") == "10"
    flows.type("set var *value = 20")
    assert flows.go("finish")["frame"]["func"] == "main"
    assert flows.value("count") == "40"
    flows.type("break factorial if n == 2")
    assert flows.go("continue")["frame"]["args"][0]["value"] == "2"
    assert len(flows.do("-stack-list-frames")["stack"]) == 5
    flows.type("delete")
    flows.type("frame 3")
    assert flows.go("finish")["return-value"] == "120"
    flows.type("tbreak 44")
    flows.go("jump 44")
    assert flows.value("skipped") == "7"
    assert flows.go("next")["frame"]["line"] == "45"


def test_looking_at_everything(flows, tmp_path):
    assert flows.value("factorial(6) + sum_to(10)") == "775"
    assert flows.value("here").startswith("{x = 3, y = 4, name = 0x")
    assert len(flows.type("x/20i $pc").splitlines()) == 20
    assert "sub " in flows.type("disassemble /s main")
    flows.type("unset tdesc filename")  # gdb up to 16 has not asked for it, for a new process
    everything = flows.type("info registers all")
    assert {"ymm15", "cr3", "k_gs_base"} < set(re.findall(r"^\w+", everything, re.MULTILINE))
    assert "/sbin/flows" in flows.type("info proc exe")
    assert "cwd = '/'" in flows.type("info proc")
    assert "Name:\tflows" in flows.type("info proc status")
    assert ".text" in flows.type("info files")
    assert "Rmt Nr" in flows.type("maint print remote-registers")
    assert "perhaps walk;" in complaint(flows, "monitor wolk 0")
    flows.type("python print('python:', int(gdb.parse_and_eval('here.y')) + 1)")
    said = flows.type("python print(gdb.selected_frame().name(), gdb.selected_thread().name)")
    assert said == "main flows\n"
    backtraces = flows.type("thread apply all bt")
    assert backtraces.count("\nThread ") == len(flows.do("-thread-info")["threads"])


def complaint(gdb, command):
    """Return what a command says, whether gdb takes it for an error or not."""
    try:
        return gdb.type(command)
    except Exception as error:
        return str(error)


def test_a_core_file_of_a_guest_process(flows, tmp_path):
    flows.type("break factorial if n == 3")
    flows.go("continue")
    flows.type(f"generate-core-file {tmp_path / 'core'}")
    (tmp_path / "flows").write_bytes(program("flows"))
    command = [GDB, "-nx", "-q", "-batch", "-iex", "set debuginfod enabled off"]
    done = subprocess.run(
        [*command, "flows", "core", "-ex", "backtrace", "-ex", "print here.y", "-ex", "info auxv"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert re.search(r"#0 .*factorial \(n=.*3\).*\n#1 .*factorial.*\n#2 .*\n#3 .*main", done.stdout)
    assert "$1 = 4" in done.stdout
    assert "/sbin/flows" in done.stdout


def test_vfork_and_a_breakpoint_of_the_programs_own(flows):
    flows.type("catch vfork")
    stop = flows.go("continue")
    assert (stop["reason"], stop["newpid"]) == ("vfork", "3")
    stop = flows.go("continue")
    assert (stop["signal-name"], stop["frame"]["func"]) == ("SIGTRAP", "main")
    assert "int3" in flows.type("x/i $pc - 1")
    stop = flows.go("continue")  # gdb keeps SIGTRAP from the program
    assert stop["signal-name"] == "SIGKILL"
    assert "count 140, skipped 0" in flows.guest.serial.read_text()


def test_a_breakpoint_of_the_programs_own_that_it_hears_of(flows):
    flows.type("handle SIGTRAP nostop noprint pass")
    flows.go("continue")  # to the panic
    assert "the first process, flows, ended: signal 5" in flows.type("monitor log")


def test_the_entry_code_instruction_by_instruction(attached):
    """gdb 13 ends itself where an instruction of a function has no rule and another has."""
    attached.type("break sys_getpid")
    attached.go("continue")
    attached.type("delete")
    seen = {}
    while len(seen) < 52:
        attached.go("stepi")
        name = attached.type("info symbol $pc").split(" in ")[0]
        if name.startswith("syscall_entry"):
            addresses = [int(f["addr"], 16) for f in attached.do("-stack-list-frames")["stack"]]
            seen[name] = [address for address in addresses[1:] if not address >> 63]
    outermost = [name for name, callers in seen.items() if not callers]
    # Two instructions have the kernel's RSP and have not saved the program's yet.
    assert len(outermost) == 2
    assert len({callers[0] for callers in seen.values() if callers}) == 2, "two calls"
