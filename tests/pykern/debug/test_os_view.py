"""The OS view in conversations without a gdb: what is shown of processes, and no trace is left."""

from __future__ import annotations

import re
import struct

import pytest

from gdbstub.signals import NUMBERS
from images import prebuilt
from pykern.debug.os_view.signal_stops import from_gdb, to_gdb
from pykern.debug.os_view.tasks import KERNEL_PID
from pykern.kernel.task.sigaction import Signal
from tests.pykern.debug.debugged_system import SAME, play, program, symbol
from tests.pykern.kernel import hosted

WRITE, EXECVE = 1, 59
SIGINT, SIGTRAP, SIGUSR1, SIGSEGV = (
    NUMBERS[name] for name in ("SIGINT", "SIGTRAP", "SIGUSR1", "SIGSEGV")
)


def until_the_end(gdb):
    """Go on until the machine does not stop any more."""
    while True:
        before = len(gdb.replies)
        yield "vCont;c"
        if len(gdb.replies) == before or gdb.last.startswith("E"):
            return


def test_processes_begin_fork_execute_and_end():
    _, gdb = play(until_the_end)
    assert gdb.stops == [
        "T05thread:p1.1;",
        "T05thread:p1.1;fork:p3.3;",
        f"T05thread:p3.3;exec:{b'/bin/sibling'.hex()};",
        "W0c;process:3",
        f"T{SIGUSR1:02x}thread:p1.1;",
    ]


def deliver_all(gdb, *, step=0):
    """Go on until the end, with some steps after each stop; signals are delivered."""
    while True:
        for _ in range(step):
            signal = int(gdb.last[1:3], 16) if gdb.last[0] == "T" else 0
            thread = re.search(r"thread:([^;]*);", gdb.last)
            if thread is None or signal not in {0, SIGINT, SIGTRAP}:
                break
            yield f"vCont;s:{thread[1]};c"
        before = len(gdb.replies)
        signal = int(gdb.last[1:3], 16) if gdb.last[0] == "T" else 0
        yield "vCont;c" if signal in {0, SIGINT, SIGTRAP} else f"vCont;C{signal:02x}:p1.1;c"
        if len(gdb.replies) == before or gdb.last.startswith("E"):
            return


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_debugged_system_does_step_for_step_what_another_does(cpus):
    """A run with events, breakpoints, steps and caught calls has the state of one without."""

    def script(gdb):
        yield "vCont;c"
        yield "Hgp1.1"
        yield f"Z0,{SAME:x},1"
        yield "QCatchSyscalls:1"
        yield f"Z2,{symbol('family', 'total'):x},4"
        yield from deliver_all(gdb, step=5)

    debugged, gdb = play(script, cpus=cpus)
    assert len(gdb.stops) > 100
    assert_same_run(debugged, cpus)


def assert_same_run(debugged, cpus=1):
    """Expect that a system has done what it does when nobody looks."""
    other = hosted.make(
        prebuilt.kernel().read_bytes(),
        files={
            "/sbin/init": program("family"),
            "/bin/sibling": program("sibling"),
            "/bin/fault": prebuilt.programs()["fault"].read_bytes(),
        },
        cpus=cpus,
    ).run()
    assert other.outcome.status == 0
    assert debugged.machine.now == other.machine.now
    assert debugged.machine.retired == other.machine.retired
    assert debugged.machine.state_hash() == other.machine.state_hash()


def test_signals_of_a_process_that_gdb_has_left_are_delivered():
    def script(gdb):
        yield "vCont;c"
        yield "D;1"
        yield from until_the_end(gdb)

    system, gdb = play(script)
    assert gdb.stops == ["T05thread:p1.1;"]
    assert_same_run(system)


def test_who_leaves_in_the_middle_leaves_no_trace():
    """At a signal, a system call, a step: whatever was asked is as if it had not been."""

    def script(gdb):
        yield "vCont;c"
        yield "QCatchSyscalls:1"
        yield f"Z0,{SAME:x},1"
        while f"T{SIGUSR1:02x}" not in gdb.last:
            yield "vCont;c"

    assert_same_run(play(script)[0])


def test_the_machine_is_turned_off_with_the_kernels_process():
    def script(gdb):
        yield "vCont;c"
        yield f"vKill;{KERNEL_PID:x}"
        assert gdb.session.closed

    system, _ = play(script)
    assert system.outcome.lines == ("ended by the debugger",)


def test_a_breakpoint_stops_the_process_it_was_set_in():
    def script(gdb):
        yield "vCont;c"
        yield "Hgp1.1"
        yield f"Z0,{SAME:x},1"
        yield from until_the_end(gdb)

    _, gdb = play(script)
    hits = [stop for stop in gdb.stops if "swbreak" in stop]
    assert hits == ["T05thread:p1.1;swbreak:;"] * 5


def test_a_breakpoint_of_the_child_alone():
    def script(gdb):
        yield "vCont;c"
        yield "vCont;c"  # to the fork
        yield "vCont;c"  # to the exec
        yield "Hgp3.3"
        yield f"Z0,{SAME:x},1"
        yield from until_the_end(gdb)

    _, gdb = play(script)
    assert [s for s in gdb.stops if "swbreak" in s] == ["T05thread:p3.3;swbreak:;"] * 7


def test_a_breakpoint_of_the_kernel_stops_the_processor():
    def script(gdb):
        yield "vCont;c"
        kernel, cpu = f"{KERNEL_PID:x}", f"{KERNEL_PID:x}"
        yield f"Hgp{kernel}.{cpu}"
        address = gdb.session.target.tasks.kernel.symbols["return_to_user"]
        yield f"Z0,{address:x},1"
        yield "vCont;c"
        assert gdb.stops[-1] == f"T05thread:p{kernel}.{cpu};swbreak:;"
        yield "p10"
        assert int.from_bytes(bytes.fromhex(gdb.last), "little") == address

    play(script)


def test_steps_of_a_task_pass_over_the_kernel():
    """Each step is one instruction of the program, a system call or a page fault among them."""
    places = []

    def script(gdb):
        yield "vCont;c"
        yield f"Z0,{SAME:x},1"
        for _ in range(3):
            yield "vCont;c"
        while "thread:p1.1" in gdb.last:
            yield "vCont;s:p1.1;c"
            places.append(pc_of(gdb.last))

    play(script)
    assert len(set(places)) > 20
    assert all(place < 1 << 47 for place in places)


def pc_of(stop):
    return int.from_bytes(bytes.fromhex(re.search(r";10:(\w+);", stop)[1]), "little")


def test_system_calls_stop_at_entry_and_return():
    values = []

    def script(gdb):
        yield "vCont;c"
        yield f"QCatchSyscalls:1;{WRITE:x}"
        for _ in range(20):
            yield "vCont;c"
            if "syscall" in gdb.last:
                found = gdb.last
                for number in ("0", "10", "5"):  # rax, rip, rdi
                    yield f"p{number}"
                    values.append(int.from_bytes(bytes.fromhex(gdb.last), "little"))
                if "return" in found:
                    return

    _, gdb = play(script)
    assert [s for s in gdb.stops if "syscall" in s] == [
        f"T05thread:p1.1;syscall_entry:{WRITE:x};",
        f"T05thread:p1.1;syscall_return:{WRITE:x};",
    ]
    (at_entry, pc, fd), (result, after, _) = values[:3], values[3:]
    assert (at_entry, fd, result) == (WRITE, 1, len("work\n"))
    assert pc == after < 1 << 47


def test_arguments_changed_at_entry_are_those_of_the_call():
    def script(gdb):
        yield "vCont;c"
        yield f"QCatchSyscalls:1;{WRITE:x}"
        while "syscall_entry" not in gdb.last:
            yield "vCont;c"
        yield f"P3={struct.pack('<Q', 2).hex()}"  # rdx: two bytes only
        yield "QCatchSyscalls:0"
        yield "vCont;c"

    system, _ = play(script)
    assert "\nwo" in system.log
    assert "work" not in system.log


@pytest.mark.parametrize(
    ("answer", "total"),
    [("vCont;c", 15), ("vCont;C{usr1:02x}:p1.1;c", 15 + 1000 + 10)],
)
def test_a_signal_is_delivered_if_gdb_says_so(answer, total):
    totals = []

    def script(gdb):
        while f"T{SIGUSR1:02x}" not in gdb.last:
            yield "vCont;c"
        yield f"Z0,{symbol('family', 'finished'):x},1"
        yield answer.format(usr1=SIGUSR1)
        yield f"m{symbol('family', 'total'):x},4"
        totals.append(int.from_bytes(bytes.fromhex(gdb.last), "little"))

    play(script)
    assert totals == [total]


def test_a_fault_stops_before_its_signal_and_may_be_repaired():
    where = []

    def script(gdb):
        yield f"QPassSignals:{SIGUSR1:x};{NUMBERS['SIGCHLD']:x}"
        while f"T{SIGSEGV:02x}" not in gdb.last:
            yield "vCont;c"
        yield f"m{symbol('crowd', 'seen'):x},4"
        where.append(int(gdb.last[:2], 16))
        good = struct.pack("<Q", symbol("crowd", "stopped")).hex()
        yield f"P0={good}"
        yield "vCont;c"

    system, _ = play(script, "crowd")
    assert where == [int(Signal.SIGUSR1)]
    assert "repaired" in system.log


@pytest.mark.parametrize(
    ("fault", "signal"),
    [("null", "SIGSEGV"), ("stack", "SIGSEGV"), ("div", "SIGFPE"), ("ud", "SIGILL"),
     ("int3", "SIGTRAP"), ("privileged", "SIGSEGV")],
)  # fmt: skip
def test_a_fault_is_a_stop_with_its_signal_before_anything_is_done_about_it(fault, signal):
    def script(gdb):
        yield "vCont;c"
        yield "vCont;c"
        assert gdb.stops[-1] == f"T{NUMBERS[signal]:02x}thread:p1.1;"
        yield f"vCont;C{NUMBERS[signal]:02x}:p1.1;c"
        assert gdb.last == f"X{NUMBERS[signal]:02x};process:1"

    system, _ = play(script, command_line=f"init=/bin/fault -- {fault}")
    assert "the first process, fault, ended: signal" in system.log


def test_vfork_and_threads():
    def script(gdb):
        yield "QThreadEvents:1"
        yield f"QPassSignals:{SIGUSR1:x};{SIGSEGV:x}"
        yield from until_the_end(gdb)

    _, gdb = play(script, "crowd")
    assert gdb.stops[:6] == [
        "T05thread:p1.1;",
        "T00thread:p1.3;create:;",
        "w00;p1.3",
        "T05thread:p1.1;vfork:p4.4;",
        "T05thread:p1.1;vforkdone:;",
        "W09;process:4",
    ] or gdb.stops[:6] == [
        "T05thread:p1.1;",
        "T00thread:p1.3;create:;",
        "w00;p1.3",
        "T05thread:p1.1;vfork:p4.4;",
        "W09;process:4",
        "T05thread:p1.1;vforkdone:;",
    ]


def test_a_process_that_gdb_has_left_is_not_told_of():
    def script(gdb):
        yield "vCont;c"
        yield "vCont;c"
        yield "D;3"
        yield from until_the_end(gdb)

    _, gdb = play(script)
    assert [s for s in gdb.stops if "p3" in s or "process:3" in s] == ["T05thread:p1.1;fork:p3.3;"]
    # It can be had again.


def test_memory_that_was_not_touched_is_read_and_stays_untouched():
    seen = []

    def script(gdb):
        yield "vCont;c"
        yield f"Z0,{symbol('family', 'finished'):x},1"
        while "swbreak" not in gdb.last:
            yield "vCont;c"
        yield "p4"  # rsi: the page
        page = int.from_bytes(bytes.fromhex(gdb.last), "little")
        tasks = gdb.session.target.tasks
        space = tasks.process(1).space
        resident = space.pages.resident
        yield f"m{page:x},10"
        seen.append((gdb.last, space.pages.resident - resident, space.pages.entry(page)))
        yield "m10,4"
        seen.append(gdb.last[:2])
        yield f"X{page:x},2:hi"
        yield f"m{page:x},2"
        seen.append(gdb.last)
        # Text is not written to.
        yield f"X{SAME:x},1:x"
        seen.append(gdb.last[:2])

    play(script)
    assert seen == [("00" * 16, 0, 0), "E.", b"hi".hex(), "E."]


def test_sleeping_tasks_show_their_registers_and_where_they_wait():
    def script(gdb):
        yield "vCont;c"
        while "exec" not in gdb.last:
            yield "vCont;c"
        yield f"Z0,{SAME:x},1"
        yield "vCont;c"
        yield "qXfer:threads:read::0,1000"
        assert 'id="p1.1" name="init">blocked in wait4' in gdb.last
        yield "Hgp1.1"
        yield "p10"
        rip = int.from_bytes(bytes.fromhex(gdb.last), "little")
        yield f"m{rip - 2:x},2"
        assert gdb.last == "0f05"  # behind SYSCALL
        yield "qRcmd," + b"await".hex()
        text = bytes.fromhex("".join(r[1:] for r in gdb.replies if r[:1] == "O" and r != "OK"))
        assert b"WaitQueue.wait at pykern/kernel/core/wait/queue.py" in text
        assert b"wait4 at pykern/kernel/syscalls/" in text

    play(script)


def test_auxiliary_vector_and_thread_local_storage():
    def script(gdb):
        yield "vCont;c"
        yield "qXfer:auxv:read::0,1000"
        raw = gdb.last[1:].encode("latin-1")
        pairs = dict(struct.iter_unpack("<QQ", raw))
        assert pairs[9] == symbol("family", "_start")
        assert list(struct.iter_unpack("<QQ", raw))[-1] == (0, 0)
        yield f"Z0,{SAME:x},1"
        yield "Hgp1.1"
        while "swbreak" not in gdb.last:
            yield "vCont;c"
        yield f"qGetTLSAddr:p1.1,{0:x},0"
        yield f"m{gdb.last},40"
        assert (7).to_bytes(8, "little").hex() in gdb.last

    play(script)


def test_every_table_of_the_system():
    def script(gdb):
        yield "vCont;c"
        yield "qXfer:osdata:read:processes:0,3000"
        assert '<column name="command">/sbin/init</column>' in gdb.last
        while "exec" not in gdb.last:
            yield "vCont;c"
        yield "qXfer:osdata:read::0,3000"
        names = re.findall(r'"Type">(\w+)<', gdb.last)
        assert {"processes", "threads", "cpus", "runqueues", "ports", "files", "mappings"} < {
            *names
        }
        for name in names:
            yield f"qXfer:osdata:read:{name}:0,3ff0"
            assert gdb.last.startswith(("l<?xml", "m<?xml")), name
            assert f'type="{name}"' in gdb.last
            assert "<item>" in gdb.last or name in {"locks", "ports", "runqueues"}
        yield "qXfer:osdata:read:weather:0,100"
        assert gdb.last.startswith("E.no table")

    play(script, cpus=2)


def test_tables_before_there_is_a_kernel():
    def script(gdb):
        yield "qXfer:osdata:read::0,3000"
        for name in re.findall(r'"Type">(\w+)<', gdb.last):
            yield f"qXfer:osdata:read:{name}:0,3ff0"
            assert gdb.last.startswith("l<?xml"), name

    play(script)


def test_files_of_the_guest_and_of_each_process():
    def script(gdb):
        yield "vCont;c"
        yield "qXfer:exec-file:read:1:0,100"
        assert gdb.last == "l/sbin/init"
        yield f"qXfer:exec-file:read:{KERNEL_PID:x}:0,100"
        assert gdb.last == "l/boot/pykern.elf"
        yield f"vFile:open:{b'/sbin/init'.hex()},0,0"
        yield "vFile:pread:0,4,0"
        assert gdb.last == "F4;\x7fELF"
        yield f"vFile:open:{b'/proc/1/cmdline'.hex()},0,0"
        yield "vFile:pread:1,100,0"
        assert gdb.last == "Fb;/sbin/init\0"
        yield f"vFile:open:{b'/proc'.hex()},0,0"
        assert gdb.last == "F-1,2"

    play(script)


def test_kill_ends_one_process():
    def script(gdb):
        while "exec" not in gdb.last:
            yield "vCont;c"
        yield "vKill;3"
        assert gdb.last == "OK"
        yield from until_the_end(gdb)

    _, gdb = play(script)
    assert not any("process:3" in stop for stop in gdb.stops)


def test_registers_of_all_threads_are_read_and_written_back():
    def script(gdb):
        while "exec" not in gdb.last:
            yield "vCont;c"
        target = gdb.session.target
        names = [r.name for r in target.architecture.registers]
        state = target.machine.state_hash()
        for thread in target.threads():
            before = target.read_registers(thread.id, names)
            target.write_registers(
                thread.id, {n: v for n, v in zip(names, before, strict=True) if v is not None}
            )
            assert target.read_registers(thread.id, names) == before
        assert target.machine.state_hash() == state
        yield "vCont;c"

    play(script)


def test_signal_numbers_are_translated():
    assert (to_gdb(Signal.SIGBUS), to_gdb(Signal.SIGUSR1), to_gdb(Signal.SIGCHLD)) == (10, 30, 20)
    numbers = [n for n in range(1, 65) if to_gdb(n) != 143]
    assert [from_gdb(to_gdb(n)) for n in numbers] == numbers
    assert len(numbers) == 63  # gdb has none for SIGSTKFLT


NUMBERS_TO_TRY = ("0", "1", "3", "ff", f"{KERNEL_PID:x}", "7fffffff", "ffffffffffffffff", "-1", "x")
NAMES_TO_TRY = ("", "/", "/dev/console", "/proc/1/mem", "../..", "/bin/sibling/", "a" * 5000)
WORDS_TO_TRY = (
    *(
        "await 1",
        "await " + "9" * 5000,
        "attach",
        "attach x",
        "attach 9",
        "maps",
        "ps ps",
        "arch i386",
        "view moon",
    ),
    *("walk 0", "", "attach " + "9" * 5000, "migrate x tcp:1", "migrate 0x3 tcp:1"),
    *("checkpoint " + "9" * 5000 + " f", "migrate 3 nowhere", "checkpoint 1 f --zz"),
)
HOSTILE = (
    *(f"Hgp{a}.{b}" for a in NUMBERS_TO_TRY for b in NUMBERS_TO_TRY),
    *(f"qGetTLSAddr:p{a}.{a},{a},{a}" for a in NUMBERS_TO_TRY),
    *(f"qXfer:exec-file:read:{a}:0,100" for a in NUMBERS_TO_TRY),
    *(f"{verb}{a},{b}" for verb in "mx" for a in NUMBERS_TO_TRY for b in NUMBERS_TO_TRY),
    *(f"z{kind},{a},{b}" for kind in "02" for a in NUMBERS_TO_TRY for b in ("1", "8")),
    *(f"p{number:x}" for number in range(120)),
    *(f"vFile:open:{name.encode().hex()},0,0" for name in NAMES_TO_TRY),
    *("qRcmd," + text.encode().hex() for text in WORDS_TO_TRY),
    *("g", "G00", "Xx,1:z", "vCont;s:p9.9", "vAttach;9", "vKill;9", "D;9", "T", "Tp9.9"),
    "QCatchSyscalls:1;g",
    *("QTinit", "QTDP:1:0:E:5:0", "QTDP:-1:0:SR1", "QTStart", "QTFrame:0", "QTStop", "qTStatus"),
)


@pytest.mark.parametrize("thread", ["p1.1", "p3.3", f"p{KERNEL_PID:x}.{KERNEL_PID:x}", "p77.77"])
def test_hostile_requests_have_one_reply_each_and_change_nothing(thread):
    def script(gdb):
        while "exec" not in gdb.last:
            yield "vCont;c"
        machine = gdb.session.target.machine
        state = machine.state_hash()
        for request in HOSTILE:
            yield f"Hg{thread}"
            before = len(gdb.replies)
            yield request
            replies = [r for r in gdb.replies[before:] if r[:1] != "O" or r == "OK"]
            assert len(replies) == 1, request
            assert request[0] != "X" or replies[0].startswith("E"), request
        assert machine.state_hash() == state

    play(script)
