"""Tracepoints and what they have collected: a trace experiment, without the packets it is run by.

The target calls `Tracer.hit` where a tracepoint is; nothing stops for it. A frame is what one hit
has collected: registers, memory, trace state variables.

References
----------
Debugging with GDB, Tracepoints; Trace File Format.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from gdbstub import agent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gdbstub.arch import Architecture

BUFFER_SIZE = 5 << 20
"""Bytes of the trace buffer unless gdb asks for another size."""
LARGEST_BUFFER = 1 << 28
_LARGEST_BLOCK = 0xFFFF
TIMESTAMP = 1
"""Number of the trace state variable `$trace_timestamp`, which the target counts."""
_WORD = (1 << 64) - 1
_OF_TARGET = frozenset(("values", "_changed"))
"""What a tracer shares with its target."""


@dataclass(frozen=True)
class Memory:
    """Collect a range of memory: from `offset`, or from `base` + `offset`.

    Attributes
    ----------
    base : number of a register; None: the offset is an address
    """

    base: int | None
    offset: int
    size: int


@dataclass(frozen=True)
class Registers:
    """Collect registers by gdb's numbers."""

    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Code:
    """Execute an agent expression, which collects what it traces."""

    code: bytes


Action = Memory | Registers | Code


@dataclass
class Tracepoint:
    """Where to collect, and what.

    Attributes
    ----------
    step : instructions behind a hit that are collected at as well
    passes : hits after which the experiment ends; 0: never
    condition : must be true; None: always
    step_actions : what is collected at those
    text : the actions as gdb sent them, (A or S, action), for a gdb that comes later
    owner : number of the process that it was defined for
    source : (kind, text) as the user typed it
    """

    number: int
    address: int
    enabled: bool = True
    step: int = 0
    passes: int = 0
    condition: bytes | None = None
    actions: list[Action] = field(default_factory=list)
    step_actions: list[Action] = field(default_factory=list)
    text: list[tuple[bytes, bytes]] = field(default_factory=list)
    source: dict[bytes, bytes] = field(default_factory=dict)
    hits: int = 0
    usage: int = 0
    owner: int = 0


@dataclass(frozen=True)
class Variable:
    """A trace state variable.

    Attributes
    ----------
    initial : its value when an experiment starts
    builtin : whether the target counts it
    """

    number: int
    initial: int
    name: bytes
    builtin: bool = False


@dataclass
class Frame:
    """What one hit of a tracepoint has collected.

    Attributes
    ----------
    tracepoint, pc : where
    registers : by number
    blocks : (address, contents) of memory
    variables : trace state variables by number
    """

    tracepoint: int
    pc: int
    registers: dict[int, int] = field(default_factory=dict)
    blocks: list[tuple[int, bytes]] = field(default_factory=list)
    variables: dict[int, int] = field(default_factory=dict)

    def read(self, address: int, size: int) -> bytes:
        """Return as much of the memory from an address on as has been collected."""
        found = b""
        while len(found) < size:
            at = address + len(found)
            part = next((c[at - a :] for a, c in self.blocks if a <= at < a + len(c)), b"")
            if not part:
                break
            found += part
        return found[:size]

    def packed(self, architecture: Architecture) -> bytes:
        """Return it as in a trace file: registers, memory and variables, each with a letter."""
        parts = []
        if self.registers:
            parts.append(b"R" + self._register_block(architecture))
        for address, content in self.blocks:
            parts.append(b"M" + struct.pack("<QH", address, len(content)) + content)
        for number, value in self.variables.items():
            parts.append(b"V" + struct.pack("<iQ", number, value))
        data = b"".join(parts)
        return struct.pack("<hI", self.tracepoint, len(data)) + data

    def _register_block(self, architecture: Architecture) -> bytes:
        return b"".join(
            (self.registers.get(number, 0) & (1 << register.bits) - 1).to_bytes(
                register.size, "little"
            )
            for number, register in enumerate(architecture.general)
        )

    @property
    def size(self) -> int:
        """Return about how many bytes it takes."""
        memory = sum(11 + len(content) for _, content in self.blocks)
        return 6 + 8 * len(self.registers) + memory + 13 * len(self.variables)


class Recorder(Protocol):
    """What a target hands over at a hit: an agent's context that collects into a frame."""

    frame: Frame
    """Empty but for its place."""

    def register(self, number: int) -> int:
        """Return a register by gdb's number; AgentError: it has no value of at most 64 bits."""

    def collect_register(self, number: int) -> None:
        """Put a register of any size into the frame; an unknown one is left out."""

    def collect(self, address: int, size: int) -> None:
        """Put memory into the frame, as much of it as can be read."""

    def read(self, address: int, size: int) -> bytes:
        """Return memory; AgentError: not all of it can be read."""

    def variable(self, number: int) -> int:
        """Return a trace state variable."""

    def set_variable(self, number: int, value: int) -> None:
        """Set one."""

    def collect_variable(self, number: int) -> None:
        """Put a trace state variable into the frame."""

    def print(self, text: str) -> None:
        """Show text to the user."""


class Tracer:
    """A trace experiment: its definition, whether it runs, and its frames.

    Parameters
    ----------
    changed : called when tracepoints have to be looked for at other places

    Attributes
    ----------
    points : by (number, address)
    values : trace state variables, shared with whoever evaluates expressions
    why : reason of the last end, as `qTStatus` says it
    """

    def __init__(self, values: dict[int, int], changed: Callable[[], None]) -> None:
        self.values, self._changed = values, changed
        self.circular = self.disconnected = self.running = False
        self.limit = BUFFER_SIZE
        self.notes: dict[bytes, bytes] = {}
        self._empty()

    def clear(self) -> None:
        """Begin anew: no tracepoints, no frames."""
        self._empty()
        self._changed()

    def _empty(self) -> None:
        self.points: dict[tuple[int, int], Tracepoint] = {}
        self.variables = {TIMESTAMP: Variable(TIMESTAMP, 0, b"trace_timestamp", builtin=True)}
        self.values.clear()
        self.values[TIMESTAMP] = 0
        self.frames: deque[Frame] = deque()
        self.read_only: list[tuple[int, int]] = []
        self.created = self.used = 0
        self.why = b"tnotrun:0"
        self.running = False

    def _switch(self, *, running: bool) -> None:
        self.running = running
        self._changed()

    def start(self) -> None:
        """Start the experiment with an empty buffer."""
        self.frames.clear()
        self.created = self.used = 0
        for point in self.points.values():
            point.hits = point.usage = 0
        for variable in self.variables.values():
            self.values[variable.number] = variable.initial
        self.why = b"tunknown:0"
        self._switch(running=True)

    def stop(self, why: bytes = b"tstop::0") -> None:
        """End it; the frames stay."""
        if self.running:
            self.why = why
            self._switch(running=False)

    # -- for another process that goes on with the conversation

    def pack(self) -> dict[str, Any]:
        """Return definition and frames, which can be pickled."""
        own = {name: value for name, value in vars(self).items() if name not in _OF_TARGET}
        return {**own, "values": dict(self.values)}

    def unpack(self, state: Mapping[str, Any], why: bytes) -> None:
        """Have another one's; an experiment that ran has ended, for a reason as `stop` has it."""
        self.values.clear()
        self.values.update(state["values"])
        vars(self).update({name: value for name, value in state.items() if name != "values"})
        self.stop(why)

    def define(self, variable: Variable) -> None:
        """Have a trace state variable."""
        if variable.number != TIMESTAMP:
            self.variables[variable.number] = variable
            self.values[variable.number] = variable.initial & _WORD

    @property
    def armed(self) -> Mapping[int, list[Tracepoint]]:
        """Return the tracepoints to look for at present, by address."""
        found: dict[int, list[Tracepoint]] = {}
        if self.running:
            for point in self.points.values():
                if point.enabled:
                    found.setdefault(point.address, []).append(point)
        return found

    def enable(self, number: int, address: int, *, wanted: bool) -> bool:
        """Enable or disable a tracepoint; False: there is none."""
        point = self.points.get((number, address))
        if point is None:
            return False
        point.enabled = wanted
        self._changed()
        return True

    # -- collecting

    def hit(self, point: Tracepoint, recorder: Recorder) -> int:
        """Collect at a tracepoint whose place has been reached.

        Returns
        -------
        Instructions at which the target is to call `step`: the next ones of who was there.
        """
        if not self.running or (
            point.condition is not None and not agent.holds([point.condition], recorder)
        ):
            return 0
        point.hits += 1
        if not self._collect(point, point.actions, recorder):
            return 0
        if point.passes and point.hits >= point.passes and not point.step:
            self.stop(b"tpasscount:%x" % point.number)
        return point.step

    def step(self, point: Tracepoint, recorder: Recorder, *, last: bool) -> None:
        """Collect at an instruction behind a hit.

        Parameters
        ----------
        last : it is the last one of the hit
        """
        if not self.running:
            return
        if not self._collect(point, point.step_actions, recorder):
            return
        if last and point.passes and point.hits >= point.passes:
            self.stop(b"tpasscount:%x" % point.number)

    def _collect(self, point: Tracepoint, actions: Sequence[Action], recorder: Recorder) -> bool:
        """Have a frame collected; tell whether the experiment goes on."""
        for action in actions:
            try:
                _collect(action, recorder)
            except agent.AgentError as error:
                self.stop(b"terror:%b:%x" % (str(error).encode().hex().encode(), point.number))
                return False
        return self._keep(point, recorder.frame)

    def _keep(self, point: Tracepoint, frame: Frame) -> bool:
        while self.circular and self.frames and self.used + frame.size > self.limit:
            self.used -= self.frames.popleft().size
        if self.used + frame.size > self.limit:
            self.stop(b"tfull:0")
            return False
        self.frames.append(frame)
        self.used += frame.size
        self.created += 1
        point.usage += frame.size
        return True

    # -- looking at frames

    def find(self, after: int, wanted: Callable[[Frame], bool]) -> int | None:
        """Return the number of the first frame behind one that is wanted."""
        for number in range(after + 1, len(self.frames)):
            if wanted(self.frames[number]):
                return number
        return None

    def is_read_only(self, address: int, size: int) -> bool:
        """Tell whether memory cannot have changed since a frame was collected."""
        return any(start <= address and address + size <= end for start, end in self.read_only)


def _collect(action: Action, recorder: Recorder) -> None:
    if isinstance(action, Registers):
        for number in action.numbers:
            recorder.collect_register(number)
    elif isinstance(action, Memory):
        base = 0 if action.base is None else recorder.register(action.base)
        for address, size in _blocks(base + action.offset & _WORD, action.size):
            recorder.collect(address, size)
    else:
        agent.evaluate(action.code, recorder)


def _blocks(address: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut a range into what a trace file can hold in one piece."""
    for done in range(0, size, _LARGEST_BLOCK):
        yield address + done, min(_LARGEST_BLOCK, size - done)
