"""gdb on the processes of the machine: what a user types at the OS view, and what comes of it."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.gdbstub.gdb import GDB, GdbError, Guest
from tests.pykern.debug.debugged_system import SAME

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GDB is None, reason="gdb is not installed"),
]
PROGRAMS = {"/sbin/family": "family", "/sbin/crowd": "crowd", "/bin/sibling": "sibling"}


@pytest.fixture
def boot(tmp_path, initrd):
    guests = []

    def start(init="", *arguments, view="--gdb-os", **options):
        chosen = ["--append", f"init={init}"] if init else []
        arguments = [*chosen, "--initrd", str(initrd), *arguments]
        guests.append(Guest(tmp_path, *arguments, view=view, **options))
        return guests[-1]

    yield start
    for guest in guests:
        guest.close()


@pytest.fixture
def family(boot, gdb):
    """A gdb at the first instruction of the first process, `family`."""
    return at_first_process(gdb, boot("/sbin/family", "--smp", "2"))


def at_first_process(gdb, guest):
    gdb.guest = guest
    gdb.type(f"target remote {guest.address}")
    gdb.type("set schedule-multiple on")
    stop = gdb.go("continue")
    assert stop["signal-name"] == "SIGTRAP"
    return gdb


def executables(gdb):
    """Return the file of each process, by its number."""
    text = gdb.type("info inferiors")
    return dict(re.findall(r"process (\d+) .*(target:\S+)", text))


KERNEL = "4194304"


def test_every_process_has_its_own_symbols_without_being_asked(family):
    assert executables(family) == {
        KERNEL: "target:/boot/pykern.elf",
        "1": "target:/sbin/family",
    }
    family.type("break main")
    stop = family.go("continue")
    assert (stop["reason"], stop["frame"]["func"]) == ("breakpoint-hit", "main")
    assert stop["frame"]["file"].endswith("family.c")
    threads = {t["name"]: t for t in family.do("-thread-info")["threads"]}
    assert threads["family"]["details"] == "running"
    assert threads["family"]["core"] in {"0", "1"}
    assert {"cpu0:family", "cpu1:family"} & set(threads)


def test_programs_of_the_image_have_the_symbols_that_it_has_left_out(boot, gdb):
    at_first_process(gdb, boot())
    gdb.type("break main")
    stop = gdb.go("continue")
    assert stop["frame"]["file"] == "./userland/bin/init.c"
    assert gdb.value("argc") == "1"


def test_two_processes_linked_at_the_same_address(family):
    """Breakpoints, symbols and conditions hit only where they were set."""
    family.type("set detach-on-fork off")
    family.type("break work if i >= 4")
    family.type("catch exec")
    hits = []
    while True:
        stop = family.go("continue")
        if stop["reason"].startswith(("signal", "exited")):
            break
        if stop["reason"] == "exec":
            assert stop["new-exec"] == "/bin/sibling"
            family.type("break rest if i == 2 || i == 7")
            continue
        assert stop["reason"] == "breakpoint-hit"
        assert re.search(r"stop only if i .*\(target evals\)", family.type("info breakpoints"))
        assert int(stop["frame"]["addr"], 16) == SAME
        who = family.type("info symbol $pc").split()[0]
        hits.append((who, stop["frame"]["func"], stop["frame"]["args"][0]["value"]))
    own = [hit for hit in hits if hit[0] == "work"]
    child = [hit for hit in hits if hit[0] == "rest"]
    assert own == [("work", "work", "4"), ("work", "work", "5")]
    assert child == [("rest", "rest", "2"), ("rest", "rest", "7")]


def test_prints_and_watchpoints_of_one_of_two_processes(family):
    """What is printed and watched is at an address that both have."""
    family.type("set detach-on-fork off")
    family.type("set dprintf-style agent")
    family.type("handle SIGUSR1 nostop noprint pass")
    family.type('dprintf work,"work %d\\n", i')
    assert "agent-printf" in family.type("info breakpoints")
    family.type("catch exec")
    assert family.go("continue")["reason"] == "exec"
    family.type("watch left")
    values = [family.go("continue")["value"]["new"] for _ in range(7)]
    assert values == [str(40 - sum(range(i + 1))) for i in range(1, 8)]
    assert family.go("continue")["reason"] == "exited"
    printed = "".join(r["payload"] for r in family.records if r["type"] == "target")
    assert re.findall(r"work (\d)", printed) == ["1", "2", "3", "4", "5"]


TRACE = """
set confirm off
set pagination off
set schedule-multiple on
target remote {address}
continue
trace work
actions
collect i, total
while-stepping 3
collect total
end
end
tstart
break finished
handle SIGUSR1 nostop noprint pass
continue
tstop
tstatus
tfind start
print i
print total
tfind 3
print total
tfind
print i
tfind none
"""


def test_a_tracepoint_in_one_of_two_processes(boot, tmp_path):
    guest = boot("/sbin/family", "--smp", "2")
    script = tmp_path / "script"
    script.write_text(TRACE.format(address=guest.address))
    command = [GDB, "--nx", "--quiet", "--batch", "-iex", "set debuginfod enabled off"]
    done = subprocess.run(
        [*command, "-x", str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    said = iter(done.stdout.splitlines())
    for line in (
        "Collected 20 trace frames.", "Found trace frame 0, tracepoint 1", r"\$1 = 1", r"\$2 = 0",
        "Found trace frame 3, tracepoint 1", r"\$3 = 1", "Found trace frame 4, tracepoint 1",
        r"\$4 = 2",
    ):  # fmt: skip
        assert any(re.fullmatch(line, one.strip()) for one in said), (line, done.stdout)


def test_fork_exec_and_exit(family):
    family.type("set detach-on-fork off")
    family.type("catch fork")
    family.type("catch exec")
    stop = family.go("continue")
    assert (stop["reason"], stop["newpid"]) == ("fork", "3")
    assert stop["frame"]["func"] in {"fork", "_Fork", "__libc_fork", "arch_fork"}
    stop = family.go("continue")
    assert (stop["reason"], stop["new-exec"]) == ("exec", "/bin/sibling")
    assert executables(family)["3"] == "target:/bin/sibling"
    stop = family.go("continue")
    assert stop == {"reason": "exited", "exit-code": "014"}
    assert "3" not in executables(family)


def test_follow_the_child(family):
    family.type("set follow-fork-mode child")
    family.type("set breakpoint pending on")
    assert "pending" in family.type("break rest")
    family.type("catch exec")
    assert family.go("continue")["reason"] == "exec"
    assert sorted(executables(family)) == ["3", KERNEL]
    stop = family.go("continue")
    assert (stop["frame"]["func"], stop["frame"]["args"][0]["value"]) == ("rest", "1")
    assert "#0  rest (i=" in family.type("backtrace")
    ps = family.type("monitor ps")
    assert re.search(r"^  +1 +0 family +(blocked in wait4|running|runnable)", ps, re.MULTILINE), ps
    assert re.search(r"^\* +3 +1 sibling +running", ps, re.MULTILINE), ps


def test_catch_a_system_call_by_name(family):
    family.type("catch syscall write")
    stop = family.go("continue")
    assert (stop["reason"], stop["syscall-name"]) == ("syscall-entry", "write")
    assert family.value("$orig_rax") == "1"
    assert family.value("$rdi") == "1"
    assert family.value("*(char*)$rsi@5") == '"work\\n"'
    assert "in main ()" in family.type("backtrace")
    assert "work" not in family.guest.serial.read_text()
    stop = family.go("continue")
    assert (stop["reason"], stop["syscall-name"]) == ("syscall-return", "write")
    assert family.value("$rax") == "5"
    assert "work" in family.guest.serial.read_text()


def test_step_next_and_finish_in_a_program(family):
    family.type("break main")
    family.go("continue")
    family.type("tbreak work")
    family.go("continue")
    assert family.go("finish")["frame"]["func"] == "main"
    assert family.go("next")["frame"]["line"] == "41"  # write
    # The system call is one step.
    assert family.go("next")["frame"]["line"] == "43"
    assert "work" in family.guest.serial.read_text()


def test_sleeping_tasks_are_seen(family):
    family.type("set follow-fork-mode child")
    family.type("set detach-on-fork off")
    family.type("catch exec")
    family.go("continue")
    family.type("break *0x700000")
    family.go("continue")
    family.type("inferior 2")
    assert re.search(r"#\d+ .* in main \(\)", family.type("backtrace"))
    details = {t["name"]: t["details"] for t in family.do("-thread-info")["threads"]}
    assert details["family"].startswith(("blocked in wait4 > wait", "run"))
    assert "in no hosted function" in family.type("monitor await") or "#0  WaitQueue.wait at" in (
        family.type("monitor await")
    )


def test_calling_a_function_of_the_program(family):
    family.type("break work")
    family.go("continue")
    family.type("delete")
    family.type("print work(100)")
    assert family.value("total") == "100"
    assert family.value("(int)getpid()") == "1"
    assert "/sbin/family" in family.type("info proc")
    assert "[stack]" in family.type("info proc mappings")


def test_thread_local_variables_and_the_auxiliary_vector(family):
    family.type("break work")
    family.go("continue")
    assert re.search(r"AT_ENTRY .* 0x\w+", family.type("info auxv"))
    assert family.value("mine") == "7"


def test_a_fault_before_the_program_hears_of_it(boot, gdb):
    at_first_process(gdb, boot("/bin/time -- /bin/fault null", "--smp", "1"))
    gdb.type("set detach-on-fork off")
    while True:
        stop = gdb.go("continue")
        if stop["reason"] == "signal-received":
            break
    assert stop["signal-name"] == "SIGSEGV"
    assert stop["frame"]["func"] == "null_pointer"
    said = "".join(r["payload"] for r in gdb.records if r["type"] == "target")
    assert "0x0 is in the first page: a null pointer" in said
    stop = gdb.go("continue")
    assert (stop["reason"], stop["signal-name"]) == ("exited-signalled", "SIGSEGV")


def test_signals_that_gdb_passes_do_not_stop(family):
    family.type("handle SIGUSR1 nostop noprint pass")
    family.type("break finished")
    assert family.go("continue")["reason"] == "breakpoint-hit"
    assert family.value("total") == str(15 + 1000 + 10)
    family.type("backtrace")


def test_a_signal_may_be_kept_from_the_program(family):
    family.type("break finished")
    assert family.go("continue")["signal-name"] == "SIGUSR1"
    assert family.go("signal 0")["reason"] == "breakpoint-hit"
    assert family.value("total") == "15"


def test_memory_of_pages_that_were_never_touched(family):
    family.type("handle SIGUSR1 nostop noprint pass")
    family.type("break finished")
    family.go("continue")
    assert family.value("*(int*)untouched") == "0"
    family.type("set var untouched[0] = 77")
    family.type("finish")
    assert family.value("total") == "77"
    with pytest.raises(GdbError, match="Cannot access memory at address 0x10"):
        family.type("x/x 0x10")


def test_tables_of_the_system(family):
    family.type("break work")
    family.go("continue")
    listed = family.type("info os")
    names = re.findall(r"^(\w+) ", listed, re.MULTILINE)[1:]
    assert len(names) == 10
    printed = {name for name in names if family.type(f"info os {name}")}
    assert {*names} - printed <= {"ports", "locks"}  # which nobody has used yet
    assert re.search(r"^1 +0 +.*/sbin/family", family.type("info os processes"), re.MULTILINE)
    assert re.search(r"^0 +0 .* family", family.type("info os cpus"), re.MULTILINE) or re.search(
        r"^1 +1 .* family", family.type("info os cpus"), re.MULTILINE
    )
    assert "/dev/console" in family.type("info os files")
    mappings = family.type("info os mappings")
    assert re.search(r"^1 +0x7\w+ +0x7\w+ .* P RW US NX +\[stack\]", mappings, re.MULTILINE)
    assert re.search(r"^kernel +0xffff\w+ .* P RW G NX", mappings, re.MULTILINE)


def test_break_in_the_kernel_for_one_process_or_for_all(family):
    family.type("inferior 1")
    family.type("break sys_wait4")
    stop = family.go("continue")
    assert (stop["reason"], stop["frame"]["func"]) == ("breakpoint-hit", "sys_wait4")
    assert re.search(r"^\* .*\"cpu\d:family\"", family.type("info threads"), re.MULTILINE)
    assert family.go("stepi")["frame"]["func"] == "sys_wait4"


def test_interrupt_detach_one_and_kill_another(boot, gdb):
    at_first_process(gdb, boot("/bin/time -- /bin/spin forever", "--smp", "2"))
    gdb.type("set detach-on-fork off")
    gdb.type("catch exec")
    gdb.go("continue")
    gdb.do("-exec-continue --all")
    gdb.interrupt()
    stop = gdb.stop()
    assert stop["signal-name"] == "SIGINT"
    assert executables(gdb)["3"] == "target:/bin/spin"
    gdb.type("kill inferiors 3")
    gdb.type("inferior 2")
    gdb.type("detach inferiors 1")
    stop = gdb.go("continue")
    assert stop["signal-name"] == "SIGABRT", "without its first process the kernel panics"
    stop = gdb.go("continue")
    assert stop["reason"].startswith("exited")
    assert "real" in gdb.guest.serial.read_text()


def test_the_view_of_the_other_door(boot, gdb):
    """`monitor view os`, and again: the door of processors shows processes."""
    guest = boot("/sbin/family", view="--gdb")
    gdb.type(f"target remote {guest.address}")
    assert "remote again" in gdb.type("monitor view os")
    gdb.type("disconnect")
    gdb.type(f"target remote {guest.address}")
    assert f"Thread {KERNEL}.{KERNEL}" in gdb.type("info threads")
    gdb.type("monitor view cpu")
    gdb.type("disconnect")
    gdb.type(f"target remote {guest.address}")
    assert "Thread 1.1" in gdb.type("info threads")


def test_the_end_of_the_machine_is_the_end_of_all(family):
    family.type("handle SIGUSR1 nostop noprint pass")
    stop = family.go("continue")
    assert (stop["reason"], stop["signal-name"]) == ("exited-signalled", "SIGKILL")
    family.type("inferior 1")
    assert family.go("continue")["reason"] == "exited-normally"
    assert family.guest.end()[0] == 0


def test_threads_of_a_process(boot, gdb):
    at_first_process(gdb, boot("/sbin/crowd", "--smp", "2"))
    gdb.type("break run")
    gdb.type("watch seen")
    stop = gdb.go("continue")
    assert stop["frame"]["func"] == "run"
    threads = [t for t in gdb.do("-thread-info")["threads"] if t["name"] == "crowd"]
    assert [t["target-id"] for t in threads] == ["Thread 1.1", "Thread 1.3"]
    assert threads[0]["details"].startswith(("blocked in futex > Futexes.wait", "run"))
    assert gdb.go("next")["frame"]["line"] == "24"
    assert gdb.go("continue")["signal-name"] == "SIGUSR1"
    assert len([t for t in gdb.do("-thread-info")["threads"] if t["name"] == "crowd"]) == 1
    stop = gdb.go("continue")
    assert stop["value"] == {"old": "0", "new": "10"}
    assert stop["frame"]["func"] == "handler"
    assert gdb.go("continue")["signal-name"] == "SIGSEGV"
    assert gdb.go("signal 0")["signal-name"] == "SIGSEGV"  # nothing has been repaired


def test_a_process_that_was_left_alone_and_a_system_that_runs_already(boot, gdb):
    at_first_process(gdb, boot("/bin/time -- /bin/spin forever", "--smp", "2"))
    gdb.type("catch syscall wait4")
    assert gdb.go("continue")["reason"] == "syscall-entry"
    assert "3" not in executables(gdb)  # detach-on-fork
    assert re.search(r"^  +3 +1 (time|spin) ", gdb.type("monitor ps"), re.MULTILINE)
    gdb.type("monitor attach 3")
    gdb.type("info threads")
    assert re.search(r"^\* +3 +1 (time|spin) ", gdb.type("monitor ps"), re.MULTILINE)
    gdb.type("disconnect")
    gdb.type(f"target remote {gdb.guest.address}")
    found = executables(gdb)
    assert found["1"] == "target:/bin/time"
    assert {"3", KERNEL} < {*found}


def test_nothing_differs_for_being_looked_at(boot, gdb, tmp_path):
    def guest(name, *, wait):
        hashes = f"1000000:{tmp_path / name}"
        arguments = ("--smp", "2", "--state-hash-every", hashes, "--timeout", "0.5")
        return boot("/sbin/family", *arguments, wait=wait)

    alone = guest("alone", wait=False)
    alone.end()
    at_first_process(gdb, guest("watched", wait=True))
    gdb.type("set detach-on-fork off")
    gdb.type("handle SIGUSR1 nostop noprint pass")
    gdb.type("break main")
    gdb.go("continue")
    for _ in range(5):
        gdb.go("next")
    gdb.type("break rest")
    gdb.type("catch syscall")
    stop = {}
    while stop.get("signal-name") != "SIGKILL":
        stop = gdb.go("continue")
        gdb.type("info threads")
        if stop["reason"].startswith("exited"):
            gdb.type("inferior 1")
    gdb.go("continue")
    watched, unwatched = ((tmp_path / n).read_text() for n in ("watched", "alone"))
    assert unwatched.count("\n") > 3
    assert watched == unwatched
