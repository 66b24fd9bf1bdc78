"""The debugger's doorway of `pykern boot`: `--gdb`, `-s`, `-S`."""

from __future__ import annotations

import functools
import sys
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gdbstub import Listener
from pykern.cli.arguments import GDB_ADDRESS
from pykern.cli.elf_sections import Symbols, read_sections, read_symbols
from pykern.cli.errors import UsageError
from pykern.debug.debugged_machine import DebuggedMachine
from pykern.debug.knowledge import Knowledge
from pykern.debug.machine_target import MachineTarget
from pykern.debug.python_source.debugger import PythonSource
from pykern.machine.boot.protocol import BootError

if TYPE_CHECKING:
    import argparse
    import contextlib
    from collections.abc import Callable

    from pykern.cli.terminal import NoInput
    from pykern.kernel.host import KernelHost
    from pykern.machine.computer import Image
    from pykern.machine.session import Session

_ELF = b"\x7fELF"
_NEAR = 0x1000
"""Bytes behind the last symbol that are still its."""


def attach(
    args: argparse.Namespace,
    session: Session,
    host: KernelHost,
    image: Image,
    console: NoInput,
    stack: contextlib.ExitStack,
) -> DebuggedMachine | None:
    """Put a debugger's doorway between a session and its machine; None: nobody asked for one.

    Raises
    ------
    UsageError : the address cannot be listened at
    """
    address = args.gdb or (GDB_ADDRESS if args.wait_for_gdb else None)
    if address is None:
        return None
    executable = image.data if image.data.startswith(_ELF) else b""
    path = f"/boot/{PurePosixPath(image.options.path or image.options.name).name}"
    target = MachineTarget(host.machine, host.task_name, executable, path)
    target.knowledge = Knowledge(host.machine, host, _near(executable, path))
    try:
        listener = Listener(address, target, target.halt)
    except OSError as error:
        raise UsageError(f"--gdb {address}: {error.strerror}") from None
    stack.callback(listener.close)
    debugged = DebuggedMachine(target, listener, wait=args.wait_for_gdb)
    session.machine = debugged
    python = PythonSource(host.machine, target.execution, host, debugged.pause)
    target.use_python(python)
    session.hostcall = python.hostcall
    console.visitors.append(listener)
    print(f"pykern: gdb -ex 'target remote {listener.address}'", file=sys.stderr)
    return debugged


def _near(executable: bytes, path: str) -> Callable[[int], str | None]:
    """Return what finds the symbol of an address in a kernel's file."""

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

    return near
