"""The machine's border, over which processes come and go: sockets and files of the host.

What comes in enters between two slices of virtual time, as a typed key does. A machine that has
nothing else to do waits for it with its clock standing still.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gdbstub import server
from pykern.cli.errors import UsageError
from pykern.cli.migration_options import parse_place
from pykern.config import NS_PER_SECOND
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.migration import BadMessage, SocketLink
from pykern.kernel.migration.checkpoint import decode

if TYPE_CHECKING:
    import argparse
    import contextlib
    from collections.abc import Callable

    from gdbstub import Address
    from pykern.cli.migration_options import Departure
    from pykern.cli.terminal import NoInput, Visitor
    from pykern.kernel.host import KernelHost
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.migration import Journey

_GLANCE_NS = 100_000
"""Virtual time between two looks at what comes while a process moves."""
_MOST_CROSSINGS = 16
_PATIENCE_S = 10
"""How long a host may take to answer; loopback answers at once."""


class _Crossing(SocketLink):
    """A link that the wait for input watches.

    Parameters
    ----------
    visitors : who is watched; this one leaves them when it is closed
    """

    connected = True

    def __init__(self, connection: socket.socket, visitors: list[Visitor]) -> None:
        super().__init__(connection)
        self._visitors = visitors
        self.arrived = WaitQueue()
        visitors.append(self)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Be gone, and watched no longer."""
        if self in self._visitors:
            self._visitors.remove(self)
        super().close()


class _Gate:
    """Where processes are waited for."""

    connected = True

    def __init__(self, listener: socket.socket, place: str) -> None:
        self.listener, self.place = listener, place

    def fileno(self) -> int:
        """Return the descriptor."""
        return self.listener.fileno()


class Border:
    """What a kernel has beyond its machine (`migration.Outside`).

    Parameters
    ----------
    args : of the command line
    host : of the kernel
    console : whose wait for input is to end when a process comes
    note : takes a line for the user
    """

    def __init__(
        self,
        args: argparse.Namespace,
        host: KernelHost,
        console: NoInput,
        note: Callable[[str], None],
    ) -> None:
        self._args, self._host, self._console, self._note = args, host, console, note
        self._gate: _Gate | None = None
        self._crossings: list[_Crossing] = []
        self._files = [(path, _read(path)) for path in args.restore]
        self._migrations = sorted(args.migrate, key=_when)
        self._checkpoints = sorted(args.checkpoint, key=_when)

    def open(self, stack: contextlib.ExitStack) -> None:
        """Listen, if the command line says so.

        Raises
        ------
        UsageError : the address cannot be listened at
        """
        stack.callback(self.close)
        address = self._args.incoming
        if address is None:
            return
        try:
            listener = stack.enter_context(server.listening(address))
        except OSError as error:
            raise UsageError(f"--incoming {address}: {error.strerror}") from None
        if address.path:
            stack.callback(Path(address.path).unlink, missing_ok=True)
        self._gate = _Gate(listener, _told(address, listener))
        self._console.visitors.append(self._gate)
        print(f"pykern: processes may come to {self._gate.place}", file=sys.stderr)

    def ended(self) -> None:
        """Tell the user what has not come to pass."""
        for one in [*self._migrations, *self._checkpoints]:
            self._note(f"pykern: {one.who}@{one.at_ns / NS_PER_SECOND:g}: the run ended before")
        for path, _ in self._files:
            self._note(
                f"pykern: {path}: the run ended before there was a first program of pykern's"
            )

    def close(self) -> None:
        """Let no link be left."""
        for crossing in self._crossings:
            crossing.close()
        self._crossings.clear()

    def reset(self) -> None:
        """Stand before another kernel; what was under way with the one before is lost with it."""
        self.close()
        self._kernel.migrations.outside = self

    @property
    def _kernel(self) -> Kernel:
        return self._host.kernel

    # -- between two slices

    def visit(self) -> int | None:
        """Let in what has come, and begin what is due; return when to look again, ns."""
        kernel = self._kernel
        if not kernel.migrations.ready:
            return None
        self._begin_what_is_due()
        # All of them are done; a machine in which nothing stirs is to be found idle.
        steps = (self._restore, kernel.migrations.do_what_is_asked, self._let_in, self._wake)
        if sum(step() for step in steps):
            for cpu in kernel.cpus:
                kernel.reschedule_soon(cpu.number)
        return _GLANCE_NS if self._crossings else None

    def _restore(self) -> int:
        files, self._files = self._files, []
        for path, data in files:
            self._kernel.migrations.restore(data, str(path))
        return len(files)

    def _begin_what_is_due(self) -> None:
        now_ns, migrations = self._host.machine.now, self._kernel.migrations
        while self._migrations and self._migrations[0].at_ns <= now_ns:
            one = self._migrations.pop(0)
            migrations.ask_to_send(one.who, one.where, post_copy=self._args.post_copy)
        while self._checkpoints and self._checkpoints[0].at_ns <= now_ns:
            one = self._checkpoints.pop(0)
            leave_running = self._args.leave_running
            migrations.ask_to_checkpoint(one.who, one.where, leave_running=leave_running)

    def _let_in(self) -> int:
        if self._gate is None or not _readable(self._gate):
            return 0
        try:
            connection, _ = self._gate.listener.accept()
        except OSError:  # whoever came has gone
            return 0
        if len(self._crossings) >= _MOST_CROSSINGS:
            connection.close()
            return 0
        crossing = self._crossing(connection)
        self._kernel.migrations.take(crossing, crossing.arrived, self._gate.place)
        return 1

    def _wake(self) -> int:
        self._crossings = [crossing for crossing in self._crossings if crossing.fileno() >= 0]
        return sum(c.arrived.wake_all() for c in self._crossings if _readable(c))

    def _crossing(self, connection: socket.socket) -> _Crossing:
        crossing = _Crossing(connection, self._console.visitors)
        self._crossings.append(crossing)
        return crossing

    # -- migration.Outside

    def connect(self, where: str) -> tuple[_Crossing, WaitQueue]:
        """Return a link to another machine, and what is woken when something has come."""
        address = self._address(where)
        connection = socket.socket(server.family(address))
        connection.settimeout(_PATIENCE_S)
        try:
            connection.connect(address.path or (address.host, address.port))
        except OSError as error:
            connection.close()
            raise SysError(Errno.ECONNREFUSED, f"{address}: {error.strerror or error}") from None
        crossing = self._crossing(connection)
        return crossing, crossing.arrived

    def _address(self, where: str) -> Address:
        if not where and self._args.migrate_to is None:
            raise SysError(Errno.ENETUNREACH, "boot has had no --migrate-to")
        try:
            return parse_place(where) if where else self._args.migrate_to
        except ValueError as error:
            raise SysError(Errno.EINVAL, str(error)) from None

    def write(self, where: str, data: bytes) -> None:
        """Write a file whole or not at all.

        None that is there is overwritten: it may be the only copy of a process.
        """
        path = Path(where)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.link(file.name, path)

    def finished(self, journey: Journey) -> None:
        """Tell the user how one has ended."""
        self._note(f"pykern: {journey}")

    def check_open(self) -> None:
        """See whether anything may leave at all: SysError(EOPNOTSUPP) where time can go back."""
        if self._args.keeper is not None:
            raise SysError(
                Errno.EOPNOTSUPP,
                "gdb can go back in time, and what has left the machine cannot be taken back; boot "
                "with --history 0",
            )


def _when(departure: Departure) -> int:
    return departure.at_ns


def _read(path: Path) -> bytes:
    """Return a file with a process in it; one without is refused before there is a machine."""
    try:
        data = path.read_bytes()
        decode(data)
    except OSError as error:
        raise UsageError(f"--restore {path}: {error.strerror}") from None
    except BadMessage as error:
        raise UsageError(f"--restore {path}: {error}") from None
    return data


def _told(address: Address, listener: socket.socket) -> str:
    """Return an address as `--migrate` takes it, with the port that was chosen."""
    if address.path:
        return f"unix:{address.path}"
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"tcp:{host}:{listener.getsockname()[1]}"


def _readable(what: Visitor) -> bool:
    return bool(select.select([what], [], [], 0)[0])
