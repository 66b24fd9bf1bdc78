"""A hosted kernel with a debugger in its Python: it stops where it should, and runs as without."""

from __future__ import annotations

import re
import sys

import pytest

from gdbstub import Breakpoint, BreakpointKind, TargetError
from gdbstub.agent import Op
from images import prebuilt
from pykern.debug.debugged_machine import DebuggedMachine
from pykern.debug.machine_target import MachineTarget
from pykern.debug.python_source import dwarf
from pykern.debug.python_source.debugger import PythonSource
from pykern.debug.python_source.functions import RETURNED
from pykern.exit_status import ExitStatus
from pykern.kernel.host import KernelHost
from pykern.machine.board import BoardOptions
from pykern.machine.boot import PROTOCOLS, BootOptions, iso
from pykern.machine.computer import Computer, Image, MachineConfig
from pykern.machine.session import Session
from pykern_c import Machine
from tests import booting
from tests.pykern.debug.scripted import ScriptedGdb
from tests.pykern.debug.test_agent import expression, number, said

UNTIL_NS = 45_000_000
RIP, RSP = "10", "07"


class System:
    """The default image on 2 processors, up to its shell's first moments.

    Attributes
    ----------
    gdb : who follows the script; None: nobody
    """

    def __init__(self, script=None):
        booting.packaged()
        self.serial = bytearray()
        board = BoardOptions(com1=self.serial.extend)
        computer = Computer(MachineConfig(2, 64 << 20, board=board), Machine)
        self.machine, self.host = computer.machine, KernelHost(computer.machine)
        selected = iso.select(prebuilt.default_image().read_bytes(), BootOptions("image.iso"))
        self.kernel_file = selected.kernel
        image = Image(selected.kernel, PROTOCOLS["limine"], selected.options)

        def start():
            self.host.reset()
            computer.start(image)

        self.session = Session(
            computer.machine, start, computer.board.com1.receive, booting.Keyboard(b""),
            timeout_ns=UNTIL_NS, hostcall=self.host.hostcall,
        )  # fmt: skip
        self.gdb = None if script is None else self._attach(script)

    def _attach(self, script):
        self.target = MachineTarget(self.machine, self.host.task_name, self.kernel_file, "/kernel")
        gdb = ScriptedGdb(self.target, script)
        debugged = DebuggedMachine(self.target, gdb, wait=True)
        self.source = PythonSource(self.host, debugged.pause, lambda: self.target)
        self.target.use_python(self.source)
        self.session.machine, self.session.hostcall = debugged, self.source.hostcall
        self.host.failed = self.source.post_mortem
        return gdb

    def run(self):
        self.session.run()
        return self

    def state(self):
        return self.machine.now, self.machine.retired, self.machine.state_hash(), self.serial

    def stops(self):
        """Return (name of the function, line, word of the reason) of stops in Python."""
        return [stop for stop in map(self._stop, self.gdb.replies) if stop is not None]

    def _stop(self, reply):
        if not reply.startswith("T05"):
            return None
        rip = int.from_bytes(bytes.fromhex(re.search(rf";{RIP}:(\w+)", reply)[1]), "little")
        function = self.source.functions.at(rip)
        if function is None:
            return None
        line = function.lines[(rip - function.address) // 4]
        return function.name, line - function.line, "swbreak" in reply


@pytest.fixture(scope="module")
def address(kernel_functions):
    def find(name):
        return next(f for f in kernel_functions.all if f.name == name).address

    return find


@pytest.fixture(scope="module")
def undebugged():
    return System().run().state()


def scripts(address):
    write, park = address("io.write"), address("Runner._park")
    fault = address("Traps.do_page_fault")
    locals_ = "qRcmd,6c6f63616c73"
    return {
        "no breakpoint": [],
        "breakpoints": [f"Z0,{write:x},1", f"Z0,{park:x},1", *["vCont;c"] * 40,
                        f"z0,{write:x},1", f"z0,{park:x},1"],
        "steps": [f"Z0,{write:x},1", "vCont;c", f"z0,{write:x},1", *["vCont;s:2;c"] * 300],
        "steps of faults": [f"Z0,{fault:x},1", *["vCont;c", "vCont;s:2", locals_] * 40,
                            f"z0,{fault:x},1"],
        "behind calls": [f"Z0,{write + 4:x},1", "vCont;c", "vCont;s:2;c", f"Z0,{write + 5:x},1",
                         f"z0,{write + 4:x},1", *["vCont;c"] * 3, f"z0,{write + 5:x},1"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["no breakpoint", "breakpoints", "steps", "steps of faults", "behind calls"]
)
def test_the_run_is_the_same_as_without_a_debugger(address, undebugged, name):
    script = scripts(address)[name]
    system = System(script).run()
    assert not [reply for reply in system.gdb.replies if reply.startswith("E")]
    assert bool(system.stops()) == bool(script)
    assert system.state() == undebugged
    assert sys.gettrace() is None or "cov" in repr(sys.gettrace())


def test_stops(address):
    write = address("io.write")
    script = [f"Z0,{write:x},1", "vCont;c", "vCont;s:2;c", "vCont;s:2;c", "vCont;s:2;c"]
    stops = System(script).run().stops()
    assert stops[0] == ("io.write", 3, True)
    assert [name for name, _, _ in stops[1:]] == ["FileTable.get"] * 3


def test_a_range_step_goes_through_a_line(address):
    write = address("io.write")
    ranged = f"vCont;r{write:x},{write + 4:x}:2;c"
    stops = System([f"Z0,{write:x},1", "vCont;c", f"z0,{write:x},1", ranged]).run().stops()
    assert stops[0] == ("io.write", 3, True)
    assert stops[1][0] == "FileTable.get"  # gdb's own task is to come back from it


def test_memory_and_registers_of_a_frame(address):
    write = address("io.write")
    system = System(
        [f"Z0,{write:x},1", "vCont;c", f"m{write:x},8", "g", "m0,1", "P10=0000000000000000"]
    )
    system.run()
    replies = system.gdb.replies
    stop = next(at for at, reply in enumerate(replies) if reply.startswith("T05"))
    assert replies[stop + 1] == "90" * 8
    assert int.from_bytes(bytes.fromhex(replies[stop + 2])[128:136], "little") == write
    assert replies[stop + 3].startswith("E")
    assert replies[stop + 4].startswith("E")


def first_letter_of(variable):
    """Return agent code: the first byte of a variable's text, in the frame that has just begun."""
    return (
        *(Op.REG, *number("rsp"), Op.CONST8, dwarf.SLOT, Op.ADD),
        *(Op.CONST64, *(dwarf._CFA_MASK).to_bytes(8, "big"), Op.BIT_AND),
        *(Op.CONST16, *dwarf.MOST_SLOTS.to_bytes(2, "big"), Op.MUL),
        *(Op.CONST64, *(dwarf.SLOTS + dwarf.SLOT * variable).to_bytes(8, "big"), Op.ADD),
        *(Op.REF64, Op.REF8),
    )


def test_conditions_and_commands_see_the_frame(address):
    """gdb's registers are those of the frame, and its variables are in memory."""
    write = address("io.write")
    here = expression(Op.REG, number("rip"), Op.CONST64, write.to_bytes(8, "big"), Op.EQUAL)
    count = first_letter_of(3)
    four = expression(*count, Op.CONST8, ord("4"), Op.EQUAL)
    text = b"%c;\0"
    show = expression(*count, Op.CONST8, 0, Op.CONST8, 0, Op.PRINTF, 1, 0, len(text), text)
    never = expression(Op.CONST8, 0)
    unheard = [f"Z0,{write:x},1;{never};cmds:0,{show}", f"Z0,{write + 4:x},1;{four}", "vCont;c"]
    heard = [f"Z0,{write:x},1;{here};cmds:0,{show}", f"Z0,{write + 4:x},1;{four}", "vCont;c"]
    for script, printed in ((unheard, ""), (heard, "9;4;")):
        system = System(script).run()
        assert system.stops() == [("io.write", 4, True)]
        assert said(system.gdb) == printed


def test_breakpoints_elsewhere_are_the_machines():
    system = System([])
    elsewhere = Breakpoint(BreakpointKind.SOFTWARE, 0x1000, 1)
    system.target.insert_breakpoint(None, elsewhere)
    assert system.target.execution.breakpoints == {elsewhere}


def test_what_is_no_line_cannot_be_stopped_at(address):
    system = System([])
    for wanted, why in (
        (Breakpoint(BreakpointKind.SOFTWARE, system.source.functions.end, 1), "no line of Python"),
        (Breakpoint(BreakpointKind.WRITE, address("io.write"), 8), "cannot be watched"),
        (Breakpoint(BreakpointKind.WRITE, dwarf.slots(0x1000), 8), "cannot be watched"),
    ):
        with pytest.raises(TargetError, match=why):
            system.target.insert_breakpoint(None, wanted)
    assert not system.target.execution.breakpoints


def test_the_kernels_file_has_its_python():
    system = System([])
    extended = system.target.open_file("/kernel")
    assert b".pysource" in extended
    assert extended[: 1 << 12][64:] == system.kernel_file[: 1 << 12][64:]
    assert system.source.executable(b"\x7fELF nothing") == b"\x7fELF nothing"
    foreign = system.kernel_file.replace(b"PYKERN\0\0", b"ANOTHER\0")
    assert system.source.executable(foreign) == foreign


def test_an_exception_that_nobody_handles(monkeypatch):
    """In a coroutine: gdb sees who raised it, and the kernel panics as ever."""

    def broken(_file):
        raise TypeError("not as it should be")

    monkeypatch.setattr("pykern.kernel.fs.file.File.require_writable", broken)
    system = System(["vCont;c", "g", "qRcmd,6672616d65", "vCont;c"])
    assert system.session.run().status == ExitStatus.PANIC
    (stop,) = (at for at, reply in enumerate(system.gdb.replies) if reply.startswith("T06"))
    said = bytes.fromhex(system.gdb.replies[stop - 1][1:])
    assert said == b"TypeError: not as it should be ends the kernel\n"
    rip = int.from_bytes(bytes.fromhex(system.gdb.replies[stop + 1])[128:136], "little")
    function = system.source.functions.at(rip)
    assert (function.name, rip - function.address) == ("io.write", 4 + RETURNED)
    frames = bytes.fromhex(system.gdb.replies[stop + 2][1:]).decode().splitlines()
    assert [line.split()[2] for line in frames] == ["io.write"]


def test_without_a_gdb_it_is_a_panic_at_once(monkeypatch):
    monkeypatch.setattr("pykern.kernel.fs.file.File.require_writable", lambda _file: 1 // 0)
    monkeypatch.setattr(ScriptedGdb, "connected", False)
    system = System([])
    assert system.session.run().status == ExitStatus.PANIC
    assert not any(reply.startswith("T06") for reply in system.gdb.replies)


def test_restart_in_the_middle(address):
    write = address("io.write")
    system = System([f"Z0,{write:x},1", "vCont;c", "R", f"z0,{write:x},1", "vCont;c"])
    system.session.reboot = True
    system.run()
    assert len(system.stops()) >= 1
