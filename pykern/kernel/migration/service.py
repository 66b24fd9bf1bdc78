"""Processes that come and go while the system runs: asked for, under way, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.migration import checkpoint, source, target
from pykern.kernel.migration.image import check_movable
from pykern.kernel.migration.source import Report
from pykern.kernel.migration.wire import BadMessage, LinkClosed, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from pykern.kernel.core.wait import WaitQueue
    from pykern.kernel.migration.wire import Link
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System

__all__ = ["Journey", "Migrations", "Outside", "Status"]

_KEPT = 64


class Outside(Protocol):
    """What is beyond the machine: whoever runs it lets processes go there, or does not."""

    def check_open(self) -> None:
        """See whether anything may leave at all.

        Raises
        ------
        SysError : it may not; says why
        """

    def connect(self, where: str) -> tuple[Link, WaitQueue]:
        """Return a link, and what is woken when something may have come through it.

        Parameters
        ----------
        where : an address; empty: the one that programs of the guest may use

        Raises
        ------
        SysError : nobody is there, or it is not allowed
        """

    def write(self, where: str, data: bytes) -> None:
        """Write a file that is not there yet; when this returns it is safe.

        Raises
        ------
        OSError, SysError : it is there, or cannot be written
        """

    def finished(self, journey: Journey) -> None:
        """Hear that one has ended."""


class Status(StrEnum):
    """Where a journey stands, in QEMU's words."""

    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(eq=False)
class Journey:
    """One process on its way.

    Attributes
    ----------
    what : "migration", "post-copy migration", "arrival", "checkpoint", "restore"
    pid, name : of the process; 0 and empty while that is not known
    where : address or file
    why : it failed
    install_ns : of an arrival: virtual time until it ran here
    """

    what: str
    where: str
    pid: int = 0
    name: str = ""
    status: Status = Status.ACTIVE
    why: str = ""
    install_ns: int = 0
    report: Report = field(default_factory=Report)

    def __str__(self) -> str:
        """Return a line for people."""
        who = f" of process {self.pid} ({self.name})" if self.pid else ""
        if self.name and not self.pid:
            who = f" of process {self.name}"
        return f"{self.what}{who}, {self.where}: {self.status}{self._more()}"

    def _more(self) -> str:
        if self.status is not Status.COMPLETED:
            return f", {self.why}" if self.why else ""
        report, times = self.report, ""
        if report.downtime_ns:
            times = f", stood still for {report.frozen_ns} ns, downtime {report.downtime_ns} ns"
        elif self.install_ns:
            times = f", ran {self.install_ns} ns after all had come"
        numbers = {"rounds": report.rounds, "pages": report.pages, "pulled": report.pulled,
                   "bytes": report.bytes}  # fmt: skip
        shown = "".join(f", {count} {what}" for what, count in numbers.items() if count)
        return f"{shown}{times}"


class Migrations:
    """Everything of a kernel that comes and goes.

    Parameters
    ----------
    system : the kernel

    Attributes
    ----------
    outside : None: there is nothing beyond the machine
    journeys : the last ones, the oldest first
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self.outside: Outside | None = None
        self.journeys: list[Journey] = []
        self._asked: list[tuple[Journey, str, Callable[[Process], object]]] = []

    @property
    def ready(self) -> bool:
        """Whether there are processes yet."""
        first = getattr(self._system, "processes", None)
        return first is not None and first.first is not None and first.first.alive

    def find(self, who: str) -> Process:
        """Return a living process by its number, or the oldest of a name.

        Raises
        ------
        SysError(ESRCH) : there is none
        """
        for pid, process in sorted(self._system.processes.by_pid.items()):
            if process.alive and who in {str(pid), process.name}:
                return process
        raise SysError(Errno.ESRCH, f"no process {who!r}")

    # -- asked for from outside, at any time; done when the machine's owner says so

    def ask_to_send(self, who: str, where: str, *, post_copy: bool = False) -> None:
        """Have a process moved, as `send` does; how it went is told as a journey."""
        self._asked.append(
            (
                Journey("post-copy migration" if post_copy else "migration", where, name=who),
                who,
                lambda process: self.send(process, where, post_copy=post_copy),
            )
        )

    def ask_to_checkpoint(self, who: str, where: str, *, leave_running: bool = False) -> None:
        """Have a process written to a file, as `checkpoint` does."""
        self._asked.append(
            (
                Journey("checkpoint", where, name=who),
                who,
                lambda process: self.checkpoint(process, where, leave_running=leave_running),
            )
        )

    def do_what_is_asked(self) -> int:
        """Begin what was asked for since, and return how much; nothing is in the middle of it."""
        asked, self._asked = self._asked, []
        for journey, who, begin in asked:
            try:
                begin(self.find(who))
            except SysError as error:
                self._note(journey)
                self._end(journey, error)
        return len(asked)

    # -- what can be begun by the kernel

    def send(self, process: Process, where: str = "", *, post_copy: bool = False) -> Journey:
        """Begin to move a process to another machine.

        Raises
        ------
        SysError : it cannot leave, or nobody is there; it goes on
        """
        self.check_leaving(process)
        link, arrived = self._beyond.connect(where)
        what = "post-copy migration" if post_copy else "migration"
        journey = Journey(what, where, process.pid, process.name)
        wire = Wire(self._system, link, arrived=arrived)
        self._begin(journey, self._send(journey, process, wire, post_copy=post_copy), wire)
        return journey

    def take(self, link: Link, arrived: WaitQueue, where: str) -> Journey:
        """Begin to take a process in."""
        journey = Journey("arrival", where)
        wire = Wire(self._system, link, arrived=arrived)
        self._begin(journey, self._take(journey, wire), wire)
        return journey

    def checkpoint(self, process: Process, where: str, *, leave_running: bool = False) -> Journey:
        """Begin to write a process to a file.

        Raises
        ------
        SysError : it has what a file cannot keep; it goes on
        """
        self.check_leaving(process)
        journey = Journey("checkpoint", where, process.pid, process.name)
        self._begin(journey, self._keep(journey, process, leave_running=leave_running))
        return journey

    def restore(self, data: bytes, where: str) -> Journey:
        """Begin to restore a process from the bytes of a file."""
        journey = Journey("restore", where)
        self._begin(journey, self._restore(journey, data))
        return journey

    def text(self) -> str:
        """Return a line for each journey."""
        return "".join(f"{journey}\n" for journey in self.journeys)

    def store(self, data: bytes) -> None:
        """Move a process, as /proc/migration is told: `PID`, or `PID post-copy`.

        Raises
        ------
        SysError(EINVAL) : it says something else
        SysError : as `send`
        """
        pid, *options = data.decode("utf-8", "replace").split() or [""]
        if not pid.isdecimal() or options not in ([], ["post-copy"]):
            raise SysError(Errno.EINVAL, "expected PID or PID post-copy")
        self.send(self.find(pid), post_copy=bool(options))

    # -- how it is done

    def check_leaving(self, process: Process) -> None:
        """See whether a process could leave.

        Raises
        ------
        SysError : it cannot; says why
        """
        if process is self._system.processes.first:
            raise SysError(Errno.EOPNOTSUPP, "the first process stays")
        if any(j.pid == process.pid and j.status is Status.ACTIVE for j in self.journeys):
            raise SysError(Errno.EBUSY, f"process {process.pid} is on its way already")
        self._beyond.check_open()
        check_movable(process)

    @property
    def _beyond(self) -> Outside:
        if self.outside is None:
            raise SysError(Errno.ENETUNREACH, "there is nothing beyond this machine")
        return self.outside

    def _note(self, journey: Journey) -> None:
        self.journeys = [*self.journeys[1 - _KEPT :], journey]

    def _begin(
        self, journey: Journey, body: Coroutine[Any, Any, None], wire: Wire | None = None
    ) -> None:
        """Let a thread of the kernel do it; without room for one it has failed."""
        self._note(journey)
        run = self._run(journey, body)
        try:
            self._system.threads.spawn_kernel_thread(journey.what.split()[-1], run)
        except SysError as error:
            run.close()
            body.close()
            if wire is not None:
                wire.abort(str(error))
            self._end(journey, error)

    async def _run(self, journey: Journey, body: Coroutine[Any, Any, None]) -> None:
        try:
            await body
        except (SysError, BadMessage, LinkClosed, OSError) as error:
            self._end(journey, error)
        else:
            self._end(journey, None)

    def _end(self, journey: Journey, error: Exception | None) -> None:
        journey.status = Status.COMPLETED if error is None else Status.FAILED
        if error is not None:
            told = error.strerror if isinstance(error, OSError) else str(error)
            journey.why = told or "the other side is gone"
        if self.outside is not None:
            self.outside.finished(journey)

    async def _send(
        self, journey: Journey, process: Process, wire: Wire, *, post_copy: bool
    ) -> None:
        try:
            journey.report = await source.migrate(self._system, process, wire, post_copy=post_copy)
        finally:
            wire.close()

    async def _take(self, journey: Journey, wire: Wire) -> None:
        try:
            arrival = await target.receive(self._system, wire)
            journey.pid, journey.name = arrival.process.pid, arrival.process.name
            journey.report.pages, journey.install_ns = arrival.pages, arrival.install_ns
            if arrival.remote is not None:
                await target.serve(wire, arrival.remote)
                journey.report.pulled = arrival.remote.pulled
                if arrival.remote.missing:
                    lost = f"{arrival.remote.missing} pages were lost with the other machine"
                    raise LinkClosed(lost)
        finally:
            wire.close()

    async def _keep(
        self,
        journey: Journey,
        process: Process,
        *,
        leave_running: bool,
    ) -> None:
        journey.report = await checkpoint.checkpoint(
            self._system,
            process,
            lambda data: self._beyond.write(journey.where, data),
            leave_running=leave_running,
        )

    async def _restore(self, journey: Journey, data: bytes) -> None:
        process = await checkpoint.restart(self._system, data)
        journey.pid, journey.name = process.pid, process.name
