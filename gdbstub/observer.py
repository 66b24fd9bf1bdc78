"""Somebody who only looks: a target that shows another one and lets nothing be changed.

Threads, registers and memory are as they are at the moment, whether or not the target runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol

from gdbstub.target import SupportsExecFile, SupportsFiles, Target, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gdbstub.arch import Architecture
    from gdbstub.target import Resume, Thread, ThreadId

_REFUSAL = "this connection only looks; the one that debugs is another"


class Shown(Target, SupportsExecFile, SupportsFiles, Protocol):
    """What can be looked at."""


class Observer:
    """A target for `Session` that shows another one.

    Parameters
    ----------
    target : the one that is shown
    monitor : answers those commands of `monitor` that change nothing, and raises `TargetError` for
        others; None: all are refused
    """

    def __init__(
        self, target: Shown, monitor: Callable[[ThreadId, str], str] | None = None
    ) -> None:
        self._target = target
        self._monitor = monitor

    @property
    def architecture(self) -> Architecture:
        """Return the target's."""
        return self._target.architecture

    def threads(self) -> Sequence[Thread]:
        """Return the target's."""
        return self._target.threads()

    def read_registers(self, thread: ThreadId, names: Sequence[str]) -> list[int | None]:
        """Return the target's."""
        return self._target.read_registers(thread, names)

    def read_memory(self, thread: ThreadId, address: int, size: int) -> bytes:
        """Return the target's."""
        return self._target.read_memory(thread, address, size)

    def exec_file(self, pid: int) -> str:
        """Return the target's."""
        return self._target.exec_file(pid)

    def open_file(self, path: str) -> bytes:
        """Return the target's."""
        return self._target.open_file(path)

    def monitor(self, thread: ThreadId, command: str) -> str:
        """Answer what changes nothing."""
        if self._monitor is None:
            self._refuse()
        return self._monitor(thread, command)

    def write_registers(self, thread: ThreadId, values: Mapping[str, int]) -> None:
        """Refuse."""
        self._refuse()

    def write_memory(self, thread: ThreadId, address: int, data: bytes) -> None:
        """Refuse."""
        self._refuse()

    def resume(self, actions: Resume) -> None:
        """Refuse."""
        self._refuse()

    def interrupt(self) -> None:
        """Refuse."""
        self._refuse()

    @staticmethod
    def _refuse() -> NoReturn:
        raise TargetError(_REFUSAL)
