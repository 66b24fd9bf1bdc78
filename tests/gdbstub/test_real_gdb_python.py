"""Real gdb in the Python of hosted functions: breakpoints, steps, frames, variables, sleep."""

from __future__ import annotations

import re

import pytest

from images import prebuilt
from tests import booting
from tests.gdbstub.gdb import GDB, ROOT, GdbError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GDB is None, reason="gdb is not installed"),
]
IO = "pykern/kernel/syscalls/io.py"
LEGACY = "pykern/kernel/integration/legacy.py"
SMP = "pykern/kernel/integration/smp.py"


def line_of(path, text, behind=""):
    """Return the number of the first line that has a text, behind one that has another."""
    lines = (ROOT / path).read_text().splitlines()
    start = next(at for at, line in enumerate(lines) if behind in line)
    return next(at for at in range(start, len(lines)) if text in lines[at]) + 1


WRITE = line_of(IO, "file = ", behind="async def write(")


@pytest.fixture(scope="module")
def mellos_iso(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "mellos.iso"
    path.write_bytes(booting.image("mellos"))
    return path


@pytest.fixture
def mellos(boot, gdb, mellos_iso):
    """A gdb that has come to MelloOS on 4 processors."""
    gdb.guest = boot(str(mellos_iso), "--smp", "4")
    gdb.type(f"target remote {gdb.guest.address}")
    return gdb


def place(stop):
    frame = stop["frame"]
    return frame["func"], int(frame["line"])


def frames(gdb):
    return [
        (frame.get("func"), frame.get("file"), frame.get("line"))
        for frame in gdb.do("-stack-list-frames")["stack"]
    ]


def virtual_time(gdb):
    return int(gdb.type("monitor time").split()[0])


def test_walk_through_a_system_call(attached):
    attached.type(f"break io.py:{WRITE}")
    stop = attached.go("continue")
    assert stop["reason"] == "breakpoint-hit"
    assert place(stop) == ("io.write", WRITE)
    assert stop["frame"]["file"] == IO
    for number in range(WRITE + 1, WRITE + 4):
        stop = attached.go("next")
        assert stop["reason"] == "end-stepping-range"
        assert place(stop) == ("io.write", number)
    found = frames(attached)
    assert found[0] == ("io.write", IO, str(WRITE + 3))
    assert found[1][0] == "<signal handler called>"  # the entry stub, as gdb has it
    user = int(attached.do("-stack-list-frames 2 2")["stack"][0]["addr"], 16)
    assert 0x400000 <= user < 0x500000
    # The end of the function is the way back to the program, whose next instruction is there.
    attached.type("delete")
    attached.go("next")
    assert int(attached.value("(long)$pc")) == user
    attached.do("-exec-continue")
    attached.interrupt()
    assert attached.stop()["signal-name"] == "SIGINT"


def test_from_the_thunk_into_its_python(attached):
    attached.type("break sys_write")
    assert attached.go("continue")["frame"]["func"] == "sys_write"
    for command in ("next", "step"):
        assert place(attached.go(command)) == ("io.write", WRITE)
        attached.go("continue")
    # One instruction is one instruction: what the OUT does is not looked at.
    attached.go("stepi")
    attached.go("stepi")
    assert attached.type("info symbol $pc").startswith("sys_write + 7")


def test_into_calls_and_out_of_them(attached):
    attached.type(f"break io.py:{WRITE + 1}")
    attached.go("continue")
    stop = attached.go("step")
    assert stop["frame"]["func"] == "File.require_writable"
    assert frames(attached)[1] == ("io.write", IO, str(WRITE + 1))
    stop = attached.go("finish")
    assert stop["reason"] == "function-finished"
    assert place(stop) == ("io.write", WRITE + 1)
    assert place(attached.go("next")) == ("io.write", WRITE + 2)
    attached.type("tbreak UserMemory.pin_vector")
    attached.go("continue")
    assert [name for name, _, _ in frames(attached)[:4]] == [
        "UserMemory.pin_vector",
        "UserMemory.pin",
        "io.transfer",
        "io.write",
    ]
    assert attached.go("until")["frame"]["func"] == "UserMemory.pin_vector"


def test_variables(attached):
    attached.type(f"break io.py:{WRITE + 1}")
    stop = attached.go("continue")
    assert [a["name"] for a in stop["frame"]["args"]] == ["thread", "fd", "buf", "count"]
    assert attached.value("fd").endswith(' "1"')
    listed = attached.type("info locals")
    assert '"<TtyFile>"' in listed
    assert "pin = 0x0" in listed  # not assigned yet
    attached.go("step")
    assert '"<TtyFile>"' in attached.type("info args")
    attached.type("up")
    assert attached.value("fd").endswith(' "1"')


def test_monitor_py(attached):
    attached.type(f"break io.py:{WRITE + 1}")
    attached.go("continue")
    assert attached.type("monitor py fd, len([fd for _ in range(count)]) == count") == "(1, True)\n"
    assert "\nfd = 1\n" in attached.type("monitor locals")
    assert "NameError: name 'nope' is not defined" in attached.type("monitor py nope")
    assert "SyntaxError" in attached.type("monitor py 1 +")
    assert "Traceback" not in attached.type("monitor py 1/0")
    attached.go("step")
    assert "NameError" in attached.type("monitor py fd")
    assert "* #1 io.write at" in attached.type("monitor frame 1")
    assert attached.type("monitor py fd") == "1\n"
    assert "expected 0 to 1" in attached.type("monitor frame 2")
    attached.type("thread 1")
    assert "CPU 0 is not stopped in a hosted function" in attached.type("monitor locals")
    assert "<CPU 3>" in attached.type("monitor py kernel.cpus")


def test_the_program_counter_stays_in_python(attached):
    attached.type(f"break io.py:{WRITE}")
    attached.go("continue")
    with pytest.raises(GdbError):
        attached.type("set $rip = 0")
    attached.type("set $rbx = 5")
    assert attached.value("$rbx") == "5"
    with pytest.raises(GdbError):
        attached.type("set {char}$rip = 0")
    assert place(attached.go("next")) == ("io.write", WRITE + 1)


def test_page_faults_are_hosted_as_well(attached):
    attached.type("tbreak Traps.do_page_fault")
    stop = attached.go("continue")
    assert stop["frame"]["file"] == "pykern/kernel/traps.py"
    assert attached.go("next")["frame"]["func"] == "Traps.do_page_fault"
    assert (
        attached.value("laddr").split()[1].strip('"') == attached.type("monitor py laddr").strip()
    )


def test_where_threads_sleep(attached):
    attached.type("tbreak TtyFile._wait_for_input")
    attached.go("continue")
    attached.do("-exec-continue")  # into the sleep, for there is no input
    attached.interrupt()
    attached.stop()
    listed = attached.type("monitor await 3")
    assert listed.startswith("3 sh, blocked:\n")
    assert re.search(r"#1 WaitQueue.wait at .*wait/queue.py:\d+\n", listed)
    assert listed.splitlines()[-1].startswith("  #7 io.read at ")
    assert "1 init, blocked:\n" in attached.type("monitor await")
    assert "expected 1, 3" in attached.type("monitor await 9")


def test_a_step_over_sleep_ends_behind_it(mellos):
    line = line_of(LEGACY, "await sleep_until(due)")
    mellos.type(f"break legacy.py:{line}")
    mellos.go("continue")
    mellos.type("delete")
    start = virtual_time(mellos)
    assert place(mellos.go("next")) == ("sleep_wake.nap", line + 1)
    assert virtual_time(mellos) - start > 10_000_000
    found = frames(mellos)
    assert [name for name, _, _ in found] == ["sleep_wake.nap", "run_threads.body", "kthread_start"]


def test_a_thread_that_goes_on_on_another_processor(mellos):
    """It runs a function of the image meanwhile, and other threads are in the same function."""
    line = line_of(SMP, "await guest_call(", behind="async def load_balancing")
    mellos.type(f"tbreak smp.py:{line}")
    stop = mellos.go("continue")
    names = {t["id"]: t["name"] for t in mellos.do("-thread-info")["threads"]}
    task = names[stop["thread-id"]].split(":")[1]
    there = mellos.go("next")
    assert there["thread-id"] != stop["thread-id"]
    assert place(there) == ("load_balancing.work", line)
    names = {t["id"]: t["name"] for t in mellos.do("-thread-info")["threads"]}
    assert names[there["thread-id"]].split(":")[1] == task
    for number in (line + 1, line + 2):
        assert place(mellos.go("next")) == ("load_balancing.work", number)
    mellos.type("delete")
    assert mellos.go("continue")["reason"] == "exited-normally"


def test_who_sleeps_in_python_has_a_backtrace(boot, gdb, mellos_iso, tmp_path):
    """In the OS view, where threads of the kernel are gdb's."""
    door = tmp_path / "os.sock"
    guest = boot(str(mellos_iso), "--smp", "4", "--gdb-os", f"unix:{door}")
    assert str(door) in guest.process.stderr.readline()
    gdb.type(f"target remote {door}")
    gdb.go("continue")  # to the first process
    gdb.type("inferior 1")
    gdb.type("break io.write")
    assert gdb.go("continue")["frame"]["func"] == "io.write"
    assert place(gdb.go("next")) == ("io.write", WRITE + 1)
    threads = gdb.do("-thread-info")["threads"]
    sleeper = next(t for t in threads if t["name"] == "kernel_init")
    gdb.do(f"-thread-select {sleeper['id']}")
    names = [name for name, _, _ in frames(gdb)]
    assert names[0] == "Wait.__await__"
    assert names[-2:] == ["BringUp.kernel_init", "kthread_start"]
    gdb.type(f"frame {len(names) - 2}")
    assert '"<BringUp>"' in gdb.type("info args")


def test_from_main_into_the_python_of_a_system_call(boot, gdb, mellos_iso, tmp_path):
    """One backtrace: the program's own source, the entry stub, the kernel's Python."""
    door = tmp_path / "os.sock"
    guest = boot(str(mellos_iso), "--smp", "4", "--gdb-os", f"unix:{door}")
    assert str(door) in guest.process.stderr.readline()
    gdb.type(f"target remote {door}")
    gdb.go("continue")  # to the first process
    # The kernel is in every process: a library for gdb up to 16, later ones have to be told.
    if "pykern.elf" not in gdb.type("sharedlibrary") + gdb.type("info sharedlibrary"):
        gdb.type("add-symbol-file target:/boot/pykern.elf")
    gdb.type("break io.write")
    assert place(gdb.go("continue")) == ("io.write", WRITE)
    for number in (1, 2):
        assert place(gdb.go("next")) == ("io.write", WRITE + number)
        found = frames(gdb)
        assert found[0] == ("io.write", IO, str(WRITE + number))
        assert found[1][0] == "<signal handler called>"
        assert found[-1][0] in {"main", "_start"}
        assert found[-1][1].startswith("./userland/")
    gdb.type("delete")
    gdb.go("next")
    gdb.go("next")
    assert frames(gdb)[-1][0] in {"main", "_start"}


def test_nothing_differs_for_being_looked_at(boot, gdb, tmp_path):
    def guest(name, *, wait):
        hashes = f"1000000:{tmp_path / name}"
        return boot("--timeout", "0.06", "--state-hash-every", hashes, wait=wait)

    alone = guest("alone", wait=False)
    assert alone.end()[0] == 36
    gdb.type(f"target remote {guest('watched', wait=True).address}")
    gdb.type(f"break io.py:{WRITE}")
    gdb.type("break Traps.do_page_fault")
    gdb.type("break WaitQueue.wait")
    for _ in range(4):
        assert gdb.go("continue")["reason"] == "breakpoint-hit"
        for command in ("next", "step", "next", "finish", "stepi", "next"):
            gdb.go(command)
        gdb.type("monitor locals")
        gdb.type("backtrace")
    gdb.type("delete")
    assert gdb.go("continue")["reason"] == "exited"
    assert (tmp_path / "watched").read_text() == (tmp_path / "alone").read_text()


def test_a_gdb_that_knows_nothing_of_python(boot, gdb):
    """It has the kernel's file from the host, as in MYR-19."""
    gdb.type(f"file {prebuilt.kernel()}")
    gdb.type("break sys_write")
    gdb.type(f"target remote {boot().address}")
    gdb.go("continue")
    assert "entry.S" in gdb.go("next")["frame"].get("file", "entry.S")
    with pytest.raises(GdbError):
        gdb.type("list io.write")


def test_a_gdb_that_has_forgotten_what_it_knew(boot, gdb):
    """As in MIC-14: symbols from the host's file after those from the machine."""
    gdb.type(f"target remote {boot().address}")
    gdb.type(f"symbol-file {prebuilt.kernel()}")
    gdb.type("break sys_write")
    gdb.go("continue")
    gdb.go("next")
    gdb.type("backtrace")
    gdb.go("finish")
    assert gdb.go("continue")["frame"]["func"] == "sys_write"


def test_what_ends_the_kernel_is_looked_at_first(attached):
    attached.type(f"break io.py:{WRITE + 1}")
    attached.go("continue")
    attached.type("monitor py setattr(type(file), 'require_writable', lambda file: file.nothing)")
    attached.type("delete")
    stop = attached.go("continue")
    assert stop["signal-name"] == "SIGABRT"
    assert "no attribute 'nothing' ends the kernel" in "".join(
        record["payload"] or "" for record in attached.records if record["type"] == "target"
    )
    assert place(stop) == ("io.write", WRITE + 1)
    assert attached.value("fd").endswith(' "1"')
    assert attached.go("continue")["exit-code"] == "042"  # 34, a panic


def test_kill_in_the_middle(attached):
    attached.type(f"break io.py:{WRITE}")
    attached.go("continue")
    attached.type("kill")
    assert attached.guest.end()[0] == 130


def test_detach_in_the_middle_and_come_again(attached):
    attached.type(f"break io.py:{WRITE}")
    attached.go("continue")
    attached.type("detach")
    attached.type(f"target remote {attached.guest.address}")
    assert "not stopped in a hosted function" in attached.type("monitor locals")
    assert int(attached.value("(long)$pc")) != 0


def test_conditions_and_prints_are_evaluated_in_a_frame(attached):
    """What does not hold does not reach gdb: one stop in all, and lines printed on the way."""
    attached.type("set dprintf-style agent")
    attached.type(f'dprintf io.py:{WRITE + 1},"%s bytes to %s\\n", count, fd')
    # gdb leaves characters to itself.
    attached.type(f"break io.py:{WRITE + 2} if count[0] == 0x34 && count[1] == 0")
    before = len(attached.records)
    stop = attached.go("continue")
    assert (stop["reason"], place(stop)) == ("breakpoint-hit", ("io.write", WRITE + 2))
    assert "(target evals)" in attached.type("info breakpoints")
    assert attached.value("count").endswith(' "4"')
    records = attached.records[before:]
    said = "".join(record["payload"] for record in records if record["type"] == "target")
    assert re.fullmatch(r"(\d+ bytes to 1\n)+", said)
    assert said.endswith("\n4 bytes to 1\n")
    assert sum(record["message"] == "stopped" for record in records) == 1
