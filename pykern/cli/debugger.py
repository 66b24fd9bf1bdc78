"""The debugger's doorway of `pykern boot`: `--gdb`, `-s`, `-S`."""

from __future__ import annotations

import sys
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gdbstub import Listener
from pykern.cli.arguments import GDB_ADDRESS
from pykern.cli.errors import UsageError
from pykern.debug.debugged_machine import DebuggedMachine
from pykern.debug.machine_target import MachineTarget
from pykern.debug.python_source.debugger import PythonSource

if TYPE_CHECKING:
    import argparse
    import contextlib

    from pykern.cli.terminal import NoInput
    from pykern.kernel.host import KernelHost
    from pykern.machine.computer import Image
    from pykern.machine.session import Session

_ELF = b"\x7fELF"


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
