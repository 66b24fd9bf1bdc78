"""`pykern boot`: make a machine, put an image into it, run it, say how it ended."""

from __future__ import annotations

import contextlib
import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pykern.cli import trace
from pykern.cli.errors import UsageError
from pykern.cli.host_clock import HostPacer
from pykern.cli.terminal import opened_input, opened_output
from pykern.config import DEFAULT_RESOLUTION
from pykern.machine import boot
from pykern.machine.board import BoardOptions, FramebufferOptions
from pykern.machine.computer import Computer, Image, MachineConfig
from pykern.machine.devices.framebuffer import BYTES_PER_PIXEL
from pykern.machine.session import Console, Outcome, Session
from pykern.machine.state_hash import state_hash
from pykern_c import Machine

if TYPE_CHECKING:
    import argparse

    from pykern.config import HashSpec


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    image = read_image(args)
    with contextlib.ExitStack() as stack:
        outcome = _run(args, image, stack)
    for line in outcome.lines:
        print(f"pykern: {line}" if line is outcome.lines[0] else line, file=sys.stderr)
    return outcome.status


def read_image(args: argparse.Namespace) -> Image:
    """Read every file the command line names.

    Raises
    ------
    UsageError : none or more than one image is given, or a protocol that does not exist
    BootError : a file cannot be read, or no protocol knows the image
    """
    given = [path for path in (args.image, args.kernel, args.firmware) if path is not None]
    if len(given) != 1:
        raise UsageError(
            f"boot needs exactly one of FILE, --kernel and --firmware; given are {len(given)}"
        )
    data = _read(given[0])
    name = "firmware" if args.firmware else args.protocol
    if name is not None and name not in boot.PROTOCOLS:
        raise UsageError(f"no boot protocol {name}; there are {', '.join(boot.PROTOCOLS)}")
    protocol = boot.PROTOCOLS[name] if name else boot.find(data, str(given[0]))
    options = boot.BootOptions(
        str(given[0]),
        args.append,
        tuple(map(_module, args.initrd)),
        read_file=functools.partial(_read_beside, given[0].parent),
    )
    return Image(data, protocol, options)


def _module(text: str) -> boot.BootModule:
    """Return the module in `FILE ARGUMENTS`, which is how QEMU gives one its command line."""
    name, _, arguments = text.partition(" ")
    if Path(text).exists():
        name, arguments = text, ""
    return boot.BootModule(name, _read(Path(name)), arguments)


def _read_beside(folder: Path, path: str) -> bytes | None:
    """Return a file that the kernel itself asks for, if it lies in the kernel's folder.

    A guest image never gets at any other file of the host.
    """
    root = folder.resolve()
    file = (root / path.lstrip("/")).resolve()
    return file.read_bytes() if file.is_relative_to(root) and file.is_file() else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise boot.BootError(f"{path}: {error.strerror}") from None


def _run(args: argparse.Namespace, image: Image, stack: contextlib.ExitStack) -> Outcome:
    serial = stack.enter_context(opened_output(args.serial))
    debugcon = stack.enter_context(opened_output(args.debugcon))
    console = stack.enter_context(opened_input(args.serial))
    board = BoardOptions(
        com1=serial.write, debugcon=debugcon.write, framebuffer=_framebuffer(args, image)
    )
    config = MachineConfig(args.smp, args.memory, args.cpu, args.seed, board)
    traced = "mmio" in args.trace
    computer = Computer(config, trace.tracing_machine(Machine, _note) if traced else Machine)
    session = _session(args, image, computer, console)
    _add_checkpoints(session, args.state_hash_every, computer, stack)
    outcome = session.run()
    if args.screenshot is not None:
        computer.display.render().save(args.screenshot, format="PNG")
    return outcome


def _framebuffer(args: argparse.Namespace, image: Image) -> FramebufferOptions | None:
    """Return what --framebuffer asks for, or what the image's protocol can make use of."""
    default = DEFAULT_RESOLUTION if image.protocol.name == "limine" else None
    size = getattr(args, "framebuffer", default)
    if size is None:
        return None
    return FramebufferOptions(size.width, size.height, pitch=size.width * BYTES_PER_PIXEL)


def _session(
    args: argparse.Namespace, image: Image, computer: Computer, console: Console
) -> Session:
    session = Session(
        machine=computer.machine,
        start=lambda: computer.start(image),
        send=computer.board.com1.receive,
        console=console,
        timeout_ns=args.timeout,
        reboot=not args.no_reboot,
        pacer=HostPacer() if args.clock == "host" else None,
        note=lambda line: _note(f"pykern: {line}"),
    )
    if "int" in args.trace:
        trace.trace_interrupts(computer.machine, _note)
    if "insn" in args.trace:
        trace.trace_instructions(computer.machine, _note)
    return session


def _note(line: str) -> None:
    print(line, file=sys.stderr)


def _add_checkpoints(
    session: Session,
    wanted: HashSpec | None,
    computer: Computer,
    stack: contextlib.ExitStack,
) -> None:
    """Have the state hashed as --state-hash-every asks for."""
    if wanted is None:
        return
    out = stack.enter_context(wanted.path.open("w")) if wanted.path else sys.stderr

    def write(now: int) -> None:
        print(f"{now} {state_hash(computer.machine, computer.board.save())}", file=out, flush=True)

    session.checkpoint_ns = wanted.interval_ns
    session.checkpoint = write
