"""The debugger's doorway of `pykern boot`: `--gdb`, `--gdb-os`, `-s`, `-S`."""

from __future__ import annotations

import functools
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pykern
from gdbstub import Listener
from gdbstub.observer import Observer
from images import prebuilt
from images.strip import strip
from pykern.cli import arguments, migration_options, recorded
from pykern.cli.arguments import GDB_ADDRESS, GDB_OS_ADDRESS
from pykern.cli.elf_sections import Symbols, read_sections, read_symbols
from pykern.cli.errors import UsageError
from pykern.debug.compile_directory import settled
from pykern.debug.debugged_machine import DebuggedMachine
from pykern.debug.doorways import Door, Doorways
from pykern.debug.history import processes
from pykern.debug.history.console import RecordedConsole
from pykern.debug.history.history import History, Origin
from pykern.debug.history.outputs import Outputs
from pykern.debug.history.reversible_machine import ReversibleMachine
from pykern.debug.history.reversible_system import ReversibleOsTarget
from pykern.debug.history.reversible_target import ReversibleTarget
from pykern.debug.knowledge import Knowledge
from pykern.debug.machine_target import MachineTarget
from pykern.debug.monitor import harmless
from pykern.debug.observed import Entrance, Observed
from pykern.debug.os_view.os_target import OsTarget
from pykern.debug.python_source.debugger import PythonSource
from pykern.machine.boot.protocol import BootError

if TYPE_CHECKING:
    import argparse
    import contextlib
    from collections.abc import Callable, Mapping

    from gdbstub import Address
    from pykern.cli.terminal import NoInput, Output
    from pykern.debug.doorways import View
    from pykern.debug.history.processes import Keeper
    from pykern.debug.history.recording import Recording
    from pykern.kernel.host import KernelHost
    from pykern.machine.computer import Image
    from pykern.machine.session import Session

_ROOT = Path(pykern.__file__).parents[1]
_ELF64 = b"\x7fELF\x02"
"""gdb would take the registers of a 32-bit file for those of the machine."""
_NEAR = 0x1000
"""Bytes behind the last symbol that are still its."""
_HINTS = {"cpu": "", "os": "-ex 'set schedule-multiple on' "}
"""All processes run when one does; gdb is to know that their registers change."""
_OPTIONS = {"cpu": "--gdb", "os": "--gdb-os"}


def attach(
    args: argparse.Namespace,
    session: Session,
    host: KernelHost,
    image: Image,
    console: NoInput,
    stack: contextlib.ExitStack,
    origin: Origin | None = None,
) -> DebuggedMachine | None:
    """Put a debugger's doorway between a session and its machine; None: nobody asked for one.

    Raises
    ------
    UsageError : the address cannot be listened at
    """
    wanted_at = addresses(args)
    if not wanted_at:
        return None
    executable = image.data if image.data.startswith(_ELF64) else b""
    path = f"/boot/{PurePosixPath(image.options.path or image.options.name).name}"
    kind = ReversibleTarget if args.keeper else MachineTarget
    processors = kind(host.machine, host.task_name, executable, path)
    processors.knowledge = Knowledge(host.machine, host, *_names(executable, path))
    system_kind = ReversibleOsTarget if args.keeper else OsTarget
    processors.system = system = system_kind(host, processors, with_sources)
    processors.guest_file = system.guest_file
    views: dict[str, View] = {"cpu": processors, "os": system}
    doors = _doors(wanted_at, views, console, stack)
    doorways = Doorways(list(doors.values()), views)
    for seen in views.values():
        seen.execution.agent.show = doorways.print
    door = _with_observer(args, processors, doorways, console, stack)
    session.machine = debugged = _debugged(args, processors, doorways, door, session, origin)
    python = PythonSource(host, debugged.pause, lambda: doorways.target)
    python.prepare()
    processors.use_python(python)
    session.hostcall, host.failed = python.hostcall, python.post_mortem
    _announce(doors, door)
    return debugged


def _doors(
    wanted_at: Mapping[str, Address],
    views: Mapping[str, View],
    console: NoInput,
    stack: contextlib.ExitStack,
) -> dict[str, Door]:
    """Return the doors for those who debug, by what is seen there."""
    doors = {}
    for view, address in wanted_at.items():
        try:
            doors[view] = Door(address, views[view])
        except OSError as error:
            raise UsageError(f"{_OPTIONS[view]} {address}: {error.strerror}") from None
        stack.callback(doors[view].listener.close)
        console.visitors.append(doors[view].listener)
    return doors


def _announce(doors: Mapping[str, Door], entrance: Entrance) -> None:
    """Say where gdb may come in; last of all, for gdb waits two seconds and not longer."""
    for view, door in doors.items():
        command = f"{_HINTS[view]}-ex 'target remote {door.listener.address}'"
        print(f"pykern: gdb {command}", file=sys.stderr)
    if isinstance(entrance, Observed):
        command = f"-ex 'target remote {entrance.address}'"
        print(f"pykern: gdb {command} to look only", file=sys.stderr)


def _with_observer(
    args: argparse.Namespace,
    target: MachineTarget,
    door: Entrance,
    console: NoInput,
    stack: contextlib.ExitStack,
) -> Entrance:
    """Put a door beside the one of whoever debugs, if there is to be one."""
    if args.gdb_observer is None:
        return door
    shown = Observer(target, harmless(target.monitor))
    try:
        observer = Listener(args.gdb_observer, shown, lambda: None)
    except OSError as error:
        raise UsageError(f"--gdb-observer {args.gdb_observer}: {error.strerror}") from None
    stack.callback(observer.close)
    console.visitors.append(observer)
    return Observed(door, observer)


def recording(args: argparse.Namespace) -> Recording | None:
    """Return what `--load` names, after which the arguments are those of its machine.

    Raises
    ------
    UsageError : it cannot be gone on from
    """
    if args.load is None:
        return None
    if args.keeper is None:
        raise UsageError(
            "--load needs a history: not --history 0, nor --gdb-observer, nor processes that move"
        )
    return recorded.load(args)


def origin(
    args: argparse.Namespace, state: Callable[[], str], loaded: Recording | None
) -> Origin | None:
    """Return how the machine is started, for who saves its state; None: nobody can.

    Raises
    ------
    UsageError : it is not what the recording was made with
    """
    if args.keeper is None:
        return None
    machine = recorded.describe(args)
    if loaded is not None:
        recorded.check_files(loaded, machine, args.load)
    return Origin(machine, state, arguments.version())


def wanted(args: argparse.Namespace) -> bool:
    """Tell whether a debugger may come."""
    return bool(addresses(args))


def addresses(args: argparse.Namespace) -> dict[str, Address]:
    """Return where gdb may come in for each view."""
    cpu, os = args.gdb, args.gdb_os
    if cpu is None and os is None and (args.wait_for_gdb or args.load is not None):
        cpu = GDB_ADDRESS
    if cpu == GDB_ADDRESS and os is None:
        os = GDB_OS_ADDRESS
    return {view: at for view, at in (("cpu", cpu), ("os", os)) if at is not None}


def unstripped(data: bytes) -> bytes:
    """Return the program that came with the package and was stripped to be this one, or this."""
    for path in prebuilt.programs().values():
        if path.stat().st_size < len(data):
            continue
        whole = path.read_bytes()
        if strip(whole) == data:
            return whole
    return data


def with_sources(data: bytes) -> bytes:
    """Return a program of this package with symbols and where its sources are; others as is."""
    whole = unstripped(data)
    return whole if whole is data else settled(whole, str(_ROOT))


def _names(
    executable: bytes, path: str
) -> tuple[Callable[[int], str | None], Callable[[str], int | None]]:
    """Return what finds the symbol of an address in a kernel's file, and the other way round."""

    @functools.cache
    def symbols() -> Symbols:
        if not executable:
            return Symbols.none()
        try:
            elf_class, sections = read_sections(executable, path)
        except BootError:
            return Symbols.none()
        return read_symbols(sections, elf_class)

    def near(laddr: int) -> str | None:
        addresses = symbols().addresses
        if not addresses or not addresses[0] <= laddr < addresses[-1] + _NEAR:
            return None
        return symbols().near(laddr)

    return near, lambda name: symbols().find(name)


def show_once(args: argparse.Namespace, *outputs: Output) -> None:
    """Have output shown once, however often a part of the run is repeated."""
    for output in outputs:
        output.through(functools.partial(once, args))


def once(args: argparse.Namespace, stream: Any) -> Any:
    """Return a stream for writing that leaves out what was shown before; if there is a past."""
    return stream if args.keeper is None else args.outputs.once(stream)


def _debugged(
    args: argparse.Namespace,
    target: MachineTarget,
    doorways: Doorways,
    door: Entrance,
    session: Session,
    origin: Origin | None,
) -> DebuggedMachine:
    """Return the machine as gdb stops it, with a past if there is a keeper of it."""
    if not isinstance(target, ReversibleTarget):
        return DebuggedMachine(doorways.target, door, wait=args.wait_for_gdb)
    history = History(args.keeper, target, doorways, args.outputs, args.history, origin)
    target.history = history
    system = target.system
    assert isinstance(system, ReversibleOsTarget)
    system.history, history.views[system.view] = history, system
    session.console = RecordedConsole(session.console, history.journal, target.machine)
    return ReversibleMachine(target, doorways, history, wait=args.wait_for_gdb)


def keep(work: Callable[[], int], args: argparse.Namespace) -> int:
    """Do the work of a command; where a debugger may want to go back, below a keeper."""
    args.keeper, args.outputs = None, Outputs()
    if not wanted(args) or not args.history or args.gdb_observer is not None:
        return work()
    if migration_options.wanted(args):  # what has left a machine cannot be taken back
        return work()

    def watched(keeper: Keeper) -> int:
        args.keeper = keeper
        sys.stderr = args.outputs.once(sys.stderr)
        return work()

    return processes.keep(watched)
