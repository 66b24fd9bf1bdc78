"""Interrupt wires.

An `IrqLine` is a wire with a level. Whatever listens (an interrupt controller's input pin) is told
of every change; whatever drives it calls `set`. Several devices on one wire each take a `driver()`,
and the wire is high while any of them is: the wired OR of a shared interrupt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Gate", "IrqLine", "Line"]


class Line(Protocol):
    """What a driver may do to a wire, whoever implements the wire."""

    def set(self, level: bool, /) -> None:
        """Drive the wire high or low."""


class IrqLine:
    """A wire: a level and those who watch it.

    Attributes
    ----------
    level : the present level, True is high
    """

    __slots__ = ("_drivers", "_observers", "level")

    def __init__(self, *observers: Callable[[bool], None]) -> None:
        self.level = False
        self._observers = list(observers)
        self._drivers: list[IrqLine] = []

    def connect(self, observer: Callable[[bool], None]) -> None:
        """Tell `observer` the level now, if it is high, and at every change."""
        self._observers.append(observer)
        if self.level:
            observer(True)

    def set(self, level: bool, /) -> None:
        """Drive the wire; observers hear of changes only."""
        if level == self.level:
            return
        self.level = level
        for observer in self._observers:
            observer(level)

    def pulse(self) -> None:
        """Make a rising and then a falling edge."""
        self.set(True)
        self.set(False)

    def driver(self) -> IrqLine:
        """Return a new wire that is OR-ed onto this one with all other drivers."""
        source = IrqLine(self._combine)
        self._drivers.append(source)
        return source

    def _combine(self, _level: bool) -> None:
        self.set(any(source.level for source in self._drivers))


class Gate(IrqLine):
    """A wire that reaches its target only while it is not blocked.

    Parameters
    ----------
    target : the wire behind the gate
    blocked_by : while this wire is high the target is held low
    """

    __slots__ = ("_blocked_by", "_target")

    def __init__(self, target: Line, blocked_by: IrqLine) -> None:
        super().__init__(self._pass)
        self._target = target
        self._blocked_by = blocked_by
        blocked_by.connect(self._pass)

    def _pass(self, _level: bool) -> None:
        self._target.set(self.level and not self._blocked_by.level)
