"""Commands of `monitor` that are about processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import TargetError, ThreadId
from pykern.debug.os_view import await_chain
from pykern.debug.os_view.tasks import KERNEL_PID, describe
from pykern.kernel.core.errno import SysError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.debug.os_view.os_target import OsTarget


_ASKED = "begins when the machine goes on; `monitor info migrate` tells how it ended\n"


class OsMonitor:
    """Executes what the monitor of the CPU view has not; help has both.

    Parameters
    ----------
    target : the system
    """

    def __init__(self, target: OsTarget) -> None:
        self._target = target
        self._commands: dict[str, tuple[str, str, Callable[[ThreadId, list[str]], str]]] = {
            "ps": ("", "all processes; * marks those that gdb has", self._ps),
            "await": ("", "where the thread's hosted functions wait, line by line", self._await),
            "maps": ("", "memory of the thread's process", self._maps),
            "attach": ("PID", "have gdb see a process that it has left alone", self._attach),
            "migrate": (
                "PID ADDRESS [--post-copy]",
                "send a process to another machine: tcp:PORT or unix:PATH, its boot's --incoming",
                self._migrate,
            ),
            "checkpoint": (
                "PID FILE [--leave-running]",
                "write a process to a new file of the host, and end it: boot --restore FILE",
                self._checkpoint,
            ),
            "info migrate": ("", "processes that went and came, and how it ended", self._journeys),
        }

    def execute(self, thread: ThreadId, command: str) -> str | None:
        """Return what a command prints; None: it is none of these, or the list of all."""
        name, *arguments = command.split() or ["help"]
        if name == "info" and arguments == ["migrate"]:
            name, arguments = "info migrate", []
        if name == "help":
            return self._help() + self._target.processors_monitor(thread, command)
        if name == "arch":
            raise TargetError("programs are 64-bit; the CPU view shows other modes")
        found = self._commands.get(name)
        if found is None:
            return None
        wanted, _, function = found
        most = len(wanted.split())
        if not most - wanted.count("[") <= len(arguments) <= most:
            raise TargetError(f"usage: monitor {name} {wanted}".rstrip())
        return function(thread, arguments)

    def _help(self) -> str:
        """Return a line for each command."""
        return "".join(
            f"{f'{name} {wanted}':28} {text}\n"
            for name, (wanted, text, _) in self._commands.items()
        )

    def _ps(self, _thread: ThreadId, _arguments: list[str]) -> str:
        seen = {thread.id.pid for thread in self._target.threads()}
        lines = [
            f"{'*' if process.pid in seen else ' '} {process.pid:5} "
            f"{process.parent.pid if process.parent else 0:5} {process.name:16} "
            f"{describe(process.threads[0])}"
            for process in self._target.tasks.processes()
        ]
        return "\n".join(["    PID  PPID NAME             STATE", *lines]) + "\n"

    def _await(self, thread: ThreadId, _arguments: list[str]) -> str:
        task = self._target.tasks.find(thread)
        chain = await_chain.of(task) if task is not None else []
        if not chain:
            return "in no hosted function\n"
        return "".join(
            f"#{depth:<2} {place.function} at {place.path}:{place.line}\n"
            for depth, place in enumerate(reversed(chain))
        )

    def _maps(self, thread: ThreadId, _arguments: list[str]) -> str:
        if thread.pid == KERNEL_PID:
            raise TargetError("the kernel has no areas; `info os mappings` has its pages")
        return self._target.tasks.process(thread.pid).space.maps()

    def _attach(self, _thread: ThreadId, arguments: list[str]) -> str:
        self._target.attach_process(_pid(arguments[0]))
        return "now type: info threads\n"

    def _migrate(self, _thread: ThreadId, arguments: list[str]) -> str:
        post_copy = _option(arguments[2:], "--post-copy")
        migrations = self._target.tasks.kernel.migrations
        migrations.ask_to_send(self._leaving(arguments[0]), arguments[1], post_copy=post_copy)
        return _ASKED

    def _checkpoint(self, _thread: ThreadId, arguments: list[str]) -> str:
        leave_running = _option(arguments[2:], "--leave-running")
        self._target.tasks.kernel.migrations.ask_to_checkpoint(
            self._leaving(arguments[0]), arguments[1], leave_running=leave_running
        )
        return _ASKED

    def _leaving(self, pid: str) -> str:
        """Return the number of a process that could leave, as far as can be seen now."""
        tasks = self._target.tasks
        process = tasks.process(_pid(pid))
        try:
            tasks.kernel.migrations.check_leaving(process)
        except SysError as error:
            raise TargetError(f"process {pid} stays: {error.detail}") from None
        return pid

    def _journeys(self, _thread: ThreadId, _arguments: list[str]) -> str:
        return self._target.tasks.kernel.migrations.text() or "none\n"


def _pid(text: str) -> int:
    """Return the number of a process.

    Raises
    ------
    TargetError : it is no number that a process may have
    """
    if not text.isdecimal() or len(text) > len(str(KERNEL_PID)):
        raise TargetError(f"{text!r} is no process")
    return int(text)


def _option(given: list[str], known: str) -> bool:
    """Tell whether an option is given.

    Raises
    ------
    TargetError : it is another one
    """
    if given not in ([], [known]):
        raise TargetError(f"{given[0]!r}, expected {known}")
    return bool(given)
