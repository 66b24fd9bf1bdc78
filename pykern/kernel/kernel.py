"""The composition root: everything of the kernel is created and joined here, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from pykern.kernel.abi.tables import GATES
from pykern.kernel.bringup import BringUp
from pykern.kernel.core.bug import KernelPanic
from pykern.kernel.core.log import STYLES, Level, Log
from pykern.kernel.core.options import OptionError
from pykern.kernel.core.registry import UnknownNameError
from pykern.kernel.drivers import power
from pykern.kernel.drivers.fbcon import BITS_PER_PIXEL, FramebufferConsole
from pykern.kernel.drivers.keyboard import Keyboard
from pykern.kernel.drivers.serial import COM1, Serial
from pykern.kernel.faults import Faults
from pykern.kernel.integration import STORIES, Story
from pykern.kernel.interrupts import Interrupts
from pykern.kernel.migration import Migrations
from pykern.kernel.profiles import PROFILES
from pykern.kernel.profiles.check import ProfileError
from pykern.kernel.sched import Metrics, State
from pykern.kernel.syscalls import modules
from pykern.kernel.syscalls.entry import SystemCalls, handlers, watched
from pykern.kernel.task.futex import Futexes
from pykern.kernel.task.kstack import StackMemory
from pykern.kernel.task.processes import Processes
from pykern.kernel.task.sigaction import SigInfo, Signal
from pykern.kernel.task.signals import Signals
from pykern.kernel.task.system import System
from pykern.kernel.task.threads import Threads
from pykern.kernel.traps import Traps
from pykern.kernel.usermode import UserMode
from pykern.kernel.x86 import attach, fault_analysis, layout, vectors
from pykern.kernel.x86.clock import KernelClock
from pykern.kernel.x86.hostcall import bound_methods
from pykern.kernel.x86.processor import NO_CALLS, CallTables
from pykern.kernel.x86.trapframe import TrapFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pykern.kernel.abi.calls import Call
    from pykern.kernel.drivers.acpi import Acpi
    from pykern.kernel.drivers.numa import Topology
    from pykern.kernel.fs.tty import Tty
    from pykern.kernel.profiles import Profile
    from pykern.kernel.task.process import Process
    from pykern.kernel.timeline import Timeline
    from pykern.kernel.x86.boot_parameters import BootParameters
    from pykern.kernel.x86.identity import Identity
    from pykern.kernel.x86.processor import Processor
    from pykern_c import Machine, Vcpu
    from pykern_c.exits import Exit

_ARGUMENTS = (7, 6, 2, 1, 8, 9)
"""General registers that carry arguments: RDI, RSI, RDX, RCX, R8, R9."""
_RAX, _RDI = 0, 7
_MASK = 0xFFFF_FFFF_FFFF_FFFF
_NS_PER_S = 1_000_000_000
_REFRESH_NS = 20_000_000
"""For what is written meanwhile to be drawn at once."""
HOSTCALL_NS = 100
"""What a hostcall costs of virtual time, beside its instructions."""
_RUNNING = State.RUNNING
_CHOICES = {"heap": "heap", "sched": "policy"}
"""Option of the command line → what it replaces in the profile."""


class Kernel(System):
    """The kernel that one machine runs.

    Parameters
    ----------
    machine : with a kernel image loaded in it

    Attributes
    ----------
    timeline : notes what happens; None: nobody does
    attached_ns : virtual time at which the image was entered
    """

    boot: BootParameters
    profile: Profile
    acpi: Acpi
    topology: Topology
    console: Tty
    identity: Identity
    story: Story

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.profile = PROFILES.get("pykern")
        self.timeline: Timeline | None = None
        self.image: attach.KernelImage | None = None
        self.cpus = []
        self.acting: Vcpu = machine.vcpus[0]
        self.metrics = Metrics()
        self._random = SplitMix64(machine.seed)
        self.serial = Serial(COM1, lambda: self.acting)
        self.keyboard = Keyboard(lambda: self.acting, self.restart)
        self.screen: FramebufferConsole | None = None
        self.log = Log(self._print, now_ns=lambda: machine.now)
        self.bringup = BringUp(self)
        self.traps = Traps(self)
        self.interrupts = Interrupts(self)
        self.threads = Threads(self)
        self.processes = Processes(self)
        self.signals = Signals(self)
        self.futexes = Futexes()
        self.faults = Faults(self)
        self.usermode = UserMode(self)
        self.migrations = Migrations(self)
        self._table: list[Callable[[Processor], None]] = []
        machine.hostcall_port = layout.HOSTCALL_PORT

    def _print(self, text: str) -> None:
        self.output(text.replace("\n", "\r\n").encode())

    def output(self, data: bytes) -> None:
        """Show bytes on the console: the serial port, and the screen if there is one."""
        self.serial.write(data)
        if self.screen is not None:
            self.screen.write(data)

    def open_screen(self) -> None:
        """Use the framebuffer that the loader has left, if the console can draw on it."""
        found = self.boot.framebuffer
        if found is None or found.bpp != BITS_PER_PIXEL:
            return
        self.screen = FramebufferConsole(self.machine, found, self._refresh_soon)
        if self.profile.banner:
            self.screen.write(f"{self.profile.banner}\r\n".encode())

    def _refresh_soon(self, refresh: Callable[[], None]) -> None:
        if self.clock.ready:
            self.clock.at(self.clock.now_ns + _REFRESH_NS, refresh)
        else:
            refresh()

    def refresh_screen(self) -> None:
        """Draw what is on the screen: nothing will be drawn later."""
        if self.screen is not None:
            self.screen.refresh()

    # -- hostcalls

    def hostcall(self, exit_: Exit) -> None:
        """Do what the guest asks for by a hostcall, and let it go on."""
        number, index = exit_.code, exit_.vcpu
        if self.image is None or number == layout.HOSTCALL_ATTACH:
            self._attach(self.machine.vcpus[index])
            return
        cpu = self.clock.this_cpu
        if cpu is None or cpu.number != index:
            cpu = self._act_for(index)
        self._table[number](cpu)
        if cpu.current.state is not _RUNNING:
            self.runner.reschedule(cpu)
        self.machine.charge(HOSTCALL_NS)

    def _act_for(self, index: int) -> Processor:
        """Act on behalf of another processor than before."""
        cpu = self.cpus[index] if index < len(self.cpus) else self.bringup.early(index)
        self.acting = cpu.vcpu
        self.clock.this_cpu = cpu
        if self.cpus:  # from start_kernel on there is a scheduler
            self.scheduler.this_cpu = index
        return cpu

    def _attach(self, vcpu: Vcpu) -> None:
        """Answer an image that looks for its host; an OUT of anybody else's changes nothing."""
        if self.image is not None or not attach.looks_attached(vcpu):
            return
        self.image = attach.read(vcpu, vcpu.gprs[_RDI])
        self.attached_ns = self.machine.now
        self.symbols = self.image.symbols
        self.clock = KernelClock(self.machine, vectors.TIMER, _NS_PER_S // self.profile.tick_hz)
        known = {
            name: _plain(function)
            for name, function in bound_methods([self.bringup, self.traps, self.threads]).items()
        }
        known.update(self._system_calls())
        missing = [name for name in self.image.hostcalls if name not in known]
        if missing:
            raise attach.ImageError(
                f"the kernel image calls {missing[0]}, which this pykern does not host: "
                "build the image anew"
            )
        table = [known[name] for name in self.image.hostcalls]
        if self.timeline is not None:
            table = self.timeline.watched(self.image.hostcalls, table)
        self._table = [_no_such_hostcall, *table]
        vcpu.gprs[_RAX] = layout.HOSTCALL_ATTACHED

    def _system_calls(self) -> dict[str, Callable[[Processor], None]]:
        """Return what serves the hostcalls of system calls, by symbol."""
        calls = SystemCalls(self)
        return {name: calls.bind(name, f) for name, f in handlers(modules.ALL).items()}

    def needs_input(self) -> bool:
        """Tell whether nothing will happen before something comes from outside the machine."""
        idle = bool(self.cpus) and all(cpu.current is cpu.idle for cpu in self.cpus)
        return idle and not self.clock.pending

    # -- for the handlers

    def choose_profile(self, options: Mapping[str, str]) -> None:
        """Become a kernel of a profile; before anything depends on one.

        Parameters
        ----------
        options : `profile=`; `heap=` and `sched=` replace what it chooses, `layout=` takes the
            addresses of another profile's kernel half

        Raises
        ------
        UnknownNameError : there is no such profile
        ProfileError : what is chosen does not fit together
        """
        self.profile = PROFILES.get(options.get("profile", self.profile.name))
        instead: dict[str, Any] = {
            field: options[name] for name, field in _CHOICES.items() if name in options
        }
        if "layout" in options:
            layout_ = PROFILES.get(options["layout"]).layout
            self.profile = replace(self.profile, layout=layout_, **instead)
        elif instead:
            self.profile = replace(self.profile, **instead)
        self.allow_wx = self.profile.allow_wx
        self.log.style = STYLES.get(self.profile.log_style)
        self.clock.tick_ns = _NS_PER_S // self.profile.tick_hz
        self.clock.resolution_hz = self.profile.timer_hz
        self.log.level = Level[self.profile.log_level.upper()]
        self.user_layout = self.profile.user
        self.tables = NO_CALLS
        self.story = STORIES.get(self.profile.story)(self)

    def open_gates(self) -> None:
        """Let programs that start from now on make the system calls of the profile."""
        self.tables = CallTables(
            self._call_table(self.profile.syscall_table),
            self._call_table(self.profile.int80_table),
        )

    def choose_log_level(self, options: Mapping[str, str]) -> None:
        """Show of the log what the command line asks for.

        Parameters
        ----------
        options : `loglevel=` debug, info, warn or error; what the profile says unless given;
            `strace`: system calls are logged at level debug, as some profiles do anyway
        """
        name = options.get("loglevel", self.profile.log_level)
        if name.upper() not in Level.__members__:
            known = ", ".join(level.name.lower() for level in Level)
            self.log.subsystem("KERNEL").warn(f"loglevel={name}: expected one of {known}")
            return
        self.log.level = Level[name.upper()]
        if self.log.level <= Level.DEBUG and (self.profile.log_syscalls or "strace" in options):
            self._log_system_calls()

    def _log_system_calls(self) -> None:
        """Have every system call logged; nothing is paid for it unless this is called."""
        log = self.log.subsystem("SYSCALL")

        def note(cpu: Processor, call: Call) -> None:
            words = f"invoked SYS_{call.name.upper()} (id={call.number})"
            log.log(f"Task {cpu.current.tid} {words}", Level.DEBUG)

        self.watch_system_calls(note)

    def watch_system_calls(self, watch: Callable[[Processor, Call], None]) -> None:
        """Have a function called at each system call of the profile's gates (MEL-34)."""
        assert self.image is not None
        for gate in (self.profile.syscall_table, self.profile.int80_table):
            calls = {call.symbol: call for call in GATES.get(gate or "", ())}
            for index, symbol in enumerate(self.image.hostcalls, 1):
                if symbol in calls:
                    self._table[index] = watched(self._table[index], calls[symbol], watch)

    def _call_table(self, symbol: str | None) -> tuple[int, int]:
        if symbol is None:
            return 0, 0
        size = self.acting.read_linear(self.symbols[f"{symbol}_size"], 8)
        return self.symbols[symbol], int.from_bytes(size, "little")

    def frame_at(self, cpu: Processor, laddr: int) -> TrapFrame:
        """Return the trap frame that entry code has pushed on some stack of the kernel."""
        stack = cpu.current.stack
        if stack is not None and stack.bottom <= laddr < stack.top:
            if stack.is_contiguous(laddr, layout.FRAME_SIZE):
                return TrapFrame(self.machine, stack.physical(laddr))
            return TrapFrame(StackMemory(self.machine, stack), laddr)
        paddr = self.table.translate(laddr)
        if paddr is None:
            raise ValueError(f"trap frame at {laddr:#x}, which is not mapped")
        return TrapFrame(self.machine, paddr)

    def random_bytes(self, size: int) -> bytes:
        """Return bytes of the machine's seeded random numbers."""
        words = (self._random.next().to_bytes(8, "little") for _ in range(-(-size // 8)))
        return b"".join(words)[:size]

    def power_off(self) -> None:
        """Turn the machine off by ACPI, or stop it where ACPI does not say how."""
        self.refresh_screen()
        if not power.power_off(self.acting, self.acpi):
            self.machine.stop("power-off")

    def end_with(self, code: int) -> None:
        """End the machine by the debug-exit port with an odd exit status; with 0 turn it off.

        Raises
        ------
        ValueError : another even number, which no guest can end with
        """
        if not code:
            self.power_off()
            return
        if not code & 1:
            raise ValueError(f"exit status {code}, expected 0 or an odd number")
        self.refresh_screen()
        power.debug_exit(self.acting, code >> 1)

    def restart(self) -> None:
        """Reset the machine."""
        self.refresh_screen()
        power.restart(self.acting, self.acpi)

    def first_process_ended(self, process: Process) -> None:
        """Do what the profile's kernel does without its first process."""
        self.story.first_process_ended(process)

    def oops(self, error: Exception, trace: str) -> None:
        """Panic because hosted code has raised something."""
        log = self.log.subsystem("PANIC")
        for line in trace.rstrip().splitlines():
            log.debug(line)
        cpu = self.clock.this_cpu if self.image is not None else None
        of_operator = isinstance(error, (OptionError, ProfileError, UnknownNameError))
        what = str(error) if of_operator else f"{type(error).__name__} in hosted code: {error}"
        if cpu is None:
            log.error(what)
            self.refresh_screen()
            self.machine.stop("panic")
        else:
            self.panic(cpu, what)

    def kill(self, process: Process) -> None:
        """End a process, whatever it does."""
        self.signals.send(process, SigInfo(Signal.SIGKILL))

    def reschedule_soon(self, number: int) -> None:
        """Have a processor choose its thread anew."""
        self.bringup.send_resched(number)

    def panic(
        self, cpu: Processor, what: str, trap: TrapFrame | None = None, laddr: int | None = None
    ) -> NoReturn:
        """Say why the kernel cannot go on, and stop the machine (MEL-32).

        Raises
        ------
        KernelPanic : always, so that nothing goes on as if nothing had happened
        """
        log = self.log.subsystem("PANIC")
        log.error(f"{what} (CPU {cpu.number}, thread {cpu.current.tid}, {cpu.current.name})")
        if trap is not None:
            fields = trap.read()
            log.error(
                f"vector {fields['vector']}, error code {fields['error_code']:#x}, "
                f"rip {fields['rip']:#x}, rsp {fields['rsp']:#x}"
            )
            for line in fault_analysis.analyse(fields["vector"], fields["error_code"], laddr):
                log.error(line)
        if laddr is not None:
            for line in cpu.vcpu.translate(laddr).explain().splitlines():
                log.error(line)
        self.refresh_screen()
        self.machine.stop("panic")
        raise KernelPanic(what)


class SplitMix64:
    """Random numbers from a seed.

    References
    ----------
    Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators (2014).
    """

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next(self) -> int:
        """Return 64 bits."""
        self._state = z = (self._state + 0x9E37_79B9_7F4A_7C15) & _MASK
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9 & _MASK
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB & _MASK
        return z ^ (z >> 31)


def _plain(function: Callable[..., Any]) -> Callable[[Processor], None]:
    """Return a hosted function that takes the processor and finds its arguments in registers.

    What it returns goes into RAX, unless that is None: then the registers may be another thread's.
    """
    count = function.__code__.co_argcount - 2  # self and cpu  # type: ignore[attr-defined]
    registers = _ARGUMENTS[:count]

    def call(cpu: Processor) -> None:
        gprs = cpu.gprs
        result = function(cpu, *[gprs[number] for number in registers])
        if result is not None:
            gprs[_RAX] = result & _MASK

    return call


def _no_such_hostcall(_cpu: Processor) -> None:
    """Do nothing: hostcall 0 after attaching."""
