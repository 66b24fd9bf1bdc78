"""Tracepoints of a machine: hooks that collect, and let it go on as if nothing had been.

Conditions are evaluated in the core first, as those of breakpoints are. A tracepoint that collects
at the instructions behind it as well (gdb's `while-stepping`) has them looked at one by one.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbstub.agent import AgentError
from gdbstub.tracer import TIMESTAMP, Frame, Tracer
from pykern.debug import registers
from pykern.debug.agent import ProcessorContext
from pykern.debug.memory import pages
from pykern.debug.registers import linear_pc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gdbstub import ThreadId
    from gdbstub.tracer import Tracepoint
    from pykern.debug.agent import Agent
    from pykern.debug.hooked_run import HookedRun
    from pykern_c import Machine, Vcpu


class Recorder(ProcessorContext):
    """A processor at a tracepoint.

    Attributes
    ----------
    frame : what has been collected
    """

    def __init__(self, agent: Agent, machine: Machine, vcpu: Vcpu, point: Tracepoint) -> None:
        super().__init__(
            machine, vcpu, agent.architecture, agent.variables, agent.show, agent.spaces
        )
        self.frame = Frame(point.number, linear_pc(vcpu))
        self.collect_register(agent.architecture.numbers[agent.architecture.pc])

    def collect_register(self, number: int) -> None:
        """Collect a register by gdb's number."""
        known = self.architecture.registers
        if number < len(known):
            value = registers.read(self.machine, self.vcpu, known[number].name)
            if value is not None:
                self.frame.registers[number] = value

    def collect(self, address: int, size: int) -> None:
        """Collect memory up to the first page that is not there."""
        parts = []
        for start, length in pages(address, size):
            try:
                parts.append(self.read(start, length))
            except AgentError:
                break
        if parts:
            self.frame.blocks.append((address, b"".join(parts)))

    def collect_variable(self, number: int) -> None:
        """Collect a trace state variable."""
        self.frame.variables[number] = self.variable(number)


@dataclass
class _Walk:
    """Instructions behind a hit that are still to be collected at.

    Attributes
    ----------
    left : how many
    seen : (processor, instructions retired, linear PC) of the last one
    """

    point: Tracepoint
    left: int
    seen: tuple[int, int, int]

    def goes_on(self, moment: tuple[int, int, int]) -> bool:
        """Take note of the next instruction; tell whether it is another than the last one.

        One that faulted is executed again when a kernel has seen to it, which takes instructions.
        """
        (_, retired, pc), (_, before, last) = moment, self.seen
        other, self.seen = moment != self.seen, moment
        return other and (pc != last or retired == before + 1)


class Tracing:
    """Keeps the hooks of a machine's tracepoints.

    Parameters
    ----------
    run : knows who executes the next instruction of a processor, and whether it does so again
    walks_changed : called when others have to be looked at instruction by instruction

    Attributes
    ----------
    tracer : the trace experiment
    walkers : who has instructions behind a hit to go
    """

    def __init__(
        self,
        machine: Machine,
        agent: Agent,
        run: HookedRun,
        walks_changed: Callable[[], None],
    ) -> None:
        self._machine, self._agent = machine, agent
        self._run, self._walks_changed = run, walks_changed
        self._hooks: list[int] = []
        self.walkers: dict[ThreadId, list[_Walk]] = {}
        self.tracer = Tracer(agent.variables, self._place)

    def _place(self) -> None:
        """Have a hook wherever a tracepoint is."""
        while self._hooks:
            self._machine.remove_hook(self._hooks.pop())
        if self.walkers:
            self.walkers.clear()
            self._walks_changed()
        places: dict[tuple[int, int | None], list[Tracepoint]] = {}
        for address, points in self.tracer.armed.items():
            for point in points:
                root = self._agent.spaces.root(point.owner, address)
                places.setdefault((address, root), []).append(point)
        for (address, root), points in places.items():
            conditions = [point.condition for point in points if point.condition is not None]
            always = len(conditions) < len(points)
            condition = None if always else self._agent.condition(conditions)
            hit = functools.partial(self._hit, points)
            add = self._machine.add_hook
            self._hooks.append(add(hit, kinds="x", first=address, space=root, condition=condition))

    def _hit(self, points: Sequence[Tracepoint], vcpu: Vcpu) -> None:
        """Collect before an instruction."""
        if self._run.repeats(vcpu):
            return
        self._agent.variables[TIMESTAMP] = self._machine.now
        for point in points:
            if not self._agent.spaces.executes(vcpu, point.owner):
                continue
            left = self.tracer.hit(point, Recorder(self._agent, self._machine, vcpu, point))
            if left:
                self.walkers.setdefault(self._run.who(vcpu), []).append(
                    _Walk(point, left, _moment(vcpu))
                )
                self._walks_changed()

    def note(self, vcpu: Vcpu) -> None:
        """Collect at the next instruction of a processor, if it is behind a hit."""
        who, moment = self._run.who(vcpu), _moment(vcpu)
        due = [walk for walk in self.walkers.get(who, ()) if walk.goes_on(moment)]
        self._agent.variables[TIMESTAMP] = self._machine.now
        for walk in due:
            walk.left -= 1
            recorder = Recorder(self._agent, self._machine, vcpu, walk.point)
            self.tracer.step(walk.point, recorder, last=not walk.left)
        if any(not walk.left for walk in due):
            self._forget_done(who)

    def _forget_done(self, who: ThreadId) -> None:
        left = [walk for walk in self.walkers.pop(who, ()) if walk.left]
        if left:
            self.walkers[who] = left
        self._walks_changed()


def _moment(vcpu: Vcpu) -> tuple[int, int, int]:
    """Return what tells this execution of an instruction from all others."""
    return vcpu.index, vcpu.retired, linear_pc(vcpu)
