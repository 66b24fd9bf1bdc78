"""Run a machine from boot to its end: slices of virtual time, console input, and what ended it.

The loop looks at the host between slices only. Nothing in here reads a clock of the host: pacing is
done by the `Pacer` handed in, and console input enters between slices, stamped with virtual time.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pykern.exit_status import ExitStatus
from pykern.machine.shutdown import explain_shutdown
from pykern_c.exits import ExitReason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SLICE_NS = 10_000_000
_RFLAGS_IF = 1 << 9


class Clock(Protocol):
    """Virtual time (`pykern_c.events.Events`)."""

    @property
    def now(self) -> int:
        """Nanoseconds since power-up."""

    @property
    def deadline(self) -> int | None:
        """When the next event is due; None if there is none."""


class Timers(Protocol):
    """The timers of the local APICs (`pykern_c.interrupts.ApicBus`)."""

    @property
    def next_deadline(self) -> int | None:
        """When the next of them is due; None if none runs."""


class Computer(Protocol):
    """The machine as the loop sees it (`pykern_c.Machine`)."""

    @property
    def events(self) -> Clock:
        """Return the clock."""

    @property
    def vcpus(self) -> Sequence[Any]:
        """Return the processors."""

    @property
    def apics(self) -> Timers:
        """Return the local APICs."""

    @property
    def retired(self) -> int:
        """Instructions that all processors together have retired."""

    def run(self, until_ns: int | None = None) -> Any:
        """Run until a virtual time or until something happens; return an Exit."""


class Console(Protocol):
    """The host's end of the first serial port."""

    def read(self) -> bytes:
        """Return what has been typed since, without waiting."""

    def wait(self, seconds: float | None) -> bool:
        """Wait for input, at most so long; False: there is none, or none can ever come."""


class Pacer(Protocol):
    """Keeps virtual time from running ahead of the wall clock."""

    def lead(self, virtual_ns: int) -> float:
        """Return by how many seconds virtual time is ahead, or 0."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the exit status, and lines that explain it."""

    status: int
    lines: tuple[str, ...] = ()


class _Next(enum.Enum):
    CONTINUE = enum.auto()
    REBOOT = enum.auto()


@dataclass
class Session:
    """A machine being run.

    Parameters
    ----------
    machine : the computer
    start : brings machine and board to reset and loads the image
    send : gives bytes to the first serial port
    console : where they come from
    timeout_ns : virtual time at which the run ends; None: never
    reboot : boot again when the guest resets the machine
    pacer : None: as fast as possible
    hostcall : serves the exits by which a hosted kernel asks for what Python does; without it
        they are as if nothing were at their port
    needs_input : tells whether only input can make an idle guest go on, which a hosted kernel knows
        even where a timer that nobody listens to ticks
    checkpoint : called at multiples of `checkpoint_ns` of virtual time, with the time
    visit : called between two slices, where something from outside may come in; returns the virtual
        time until it wants to be called again, None: `slice_ns`
    slice_ns : virtual time between two looks at the host
    note : takes a line for the user
    """

    machine: Computer
    start: Callable[[], None]
    send: Callable[[bytes], None]
    console: Console
    timeout_ns: int | None = None
    reboot: bool = True
    pacer: Pacer | None = None
    hostcall: Callable[[Any], None] = field(default=lambda _exit: None)
    needs_input: Callable[[], bool] = field(default=lambda: False)
    checkpoint: Callable[[int], None] | None = None
    checkpoint_ns: int = 0
    visit: Callable[[], int | None] = field(default=lambda: None)
    slice_ns: int = SLICE_NS
    note: Callable[[str], None] = field(default=lambda _: None)
    inputs: list[tuple[int, bytes]] = field(default_factory=list)
    """Everything that entered, with its virtual time: what a recording needs."""
    _next_checkpoint: int = 0
    _retired: int = 0
    _progress_ns: int = 0
    """Virtual time at which `_retired` was last seen to grow."""

    def run(self) -> Outcome:
        """Boot, and run to the end."""
        self.start()
        self._next_checkpoint = self.machine.events.now + self.checkpoint_ns
        while True:
            self._receive()
            end = self._slice_end(self.visit())
            ended = self.machine.run(until_ns=end)
            while ended.reason is ExitReason.HOSTCALL:
                self.hostcall(ended)
                ended = self.machine.run(until_ns=end)
            self._reach_checkpoint()
            outcome = self._react(ended)
            if isinstance(outcome, Outcome):
                return outcome
            if outcome is _Next.REBOOT:
                self.note("the guest reset the machine; booting again")
                self.start()
                continue
            self._pace()

    def _receive(self) -> None:
        data = self.console.read()
        if data:
            self.inputs.append((self.machine.events.now, data))
            self.send(data)

    def _slice_end(self, wanted_ns: int | None) -> int:
        end = self.machine.events.now + (self.slice_ns if wanted_ns is None else wanted_ns)
        if self.timeout_ns is not None:
            end = min(end, self.timeout_ns)
        if self.checkpoint is not None:
            end = min(end, self._next_checkpoint)
        return end

    def _react(self, exit_: Any) -> Outcome | _Next:
        """Say what follows from an exit of the machine."""
        match exit_.reason.name:
            case "STOPPED":
                return self._stopped(exit_.what, exit_.code)
            case "SHUTDOWN":
                lines = explain_shutdown(self.machine.vcpus[exit_.vcpu], exit_)
                return Outcome(ExitStatus.TRIPLE_FAULT, tuple(lines))
        now = self.machine.events.now
        if self.timeout_ns is not None and now >= self.timeout_ns:
            what = f"still running at {now / 1e9:.9g} s of virtual time (--timeout)"
            return Outcome(ExitStatus.VIRTUAL_TIMEOUT, (what, *self._where()))
        if self._is_stuck():
            what = "deadlock: every processor is halted, and nothing can wake one"
            if self.needs_input():
                what = "deadlock: the input has ended, and every program waits for more"
            return Outcome(ExitStatus.DEADLOCK, (what, *self._where()))
        return _Next.CONTINUE

    def _stopped(self, reason: str, code: int) -> Outcome | _Next:
        """Say what a device meant that stopped the machine."""
        match reason:
            case "power-off":
                return Outcome(ExitStatus.POWER_OFF)
            case "debug-exit":
                return Outcome(code & 0xFF)
            case "killed":
                return Outcome(ExitStatus.INTERRUPTED, ("ended by the debugger",))
            case "panic":
                return Outcome(ExitStatus.PANIC, ("the guest's kernel panicked",))
            case "reset" if self.reboot:
                return _Next.REBOOT
            case "reset":
                return Outcome(ExitStatus.RESET, ("the guest reset the machine",))
        return Outcome(ExitStatus.INTERNAL_ERROR, (f"a device stopped the machine: {reason}",))

    def _is_stuck(self) -> bool:
        """Tell whether nothing can wake an idle machine; wait for input if only that can."""
        now, retired = self.machine.events.now, self.machine.retired
        if retired != self._retired:
            self._retired, self._progress_ns = retired, now
            return False
        if not any(cpu.read_register("rflags") & _RFLAGS_IF for cpu in self.machine.vcpus):
            return now - self._progress_ns >= SLICE_NS
        timers = (self.machine.events.deadline, self.machine.apics.next_deadline)
        if timers != (None, None) and not self.needs_input():
            return False
        return self.timeout_ns is None and not self.console.wait(None)

    def _where(self) -> list[str]:
        return [
            f"  CPU {number}: CS:RIP {cpu.read_register('cs'):04x}:{cpu.read_register('rip'):x}, "
            f"interrupts {'on' if cpu.read_register('rflags') & _RFLAGS_IF else 'off'}"
            for number, cpu in enumerate(self.machine.vcpus)
        ]

    def _reach_checkpoint(self) -> None:
        if self.checkpoint is not None and self.machine.events.now >= self._next_checkpoint:
            self.checkpoint(self.machine.events.now)
            self._next_checkpoint += self.checkpoint_ns

    def _pace(self) -> None:
        if self.pacer is None:
            return
        lead = self.pacer.lead(self.machine.events.now)
        if lead > 0:
            self.console.wait(lead)
