"""`pykern boot`: make a machine, put an image into it, run it, say how it ended."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pykern.cli import trace
from pykern.cli.errors import UsageError
from pykern.cli.host_clock import HostPacer
from pykern.cli.terminal import opened_input, opened_output
from pykern.machine import boot, firmware
from pykern.machine.firmware.acpi import AcpiPlatform
from pykern.machine.session import SLICE_NS, Outcome, Session
from pykern.machine.state_hash import state_hash

if TYPE_CHECKING:
    import argparse

    from pykern.config import HashSpec


@dataclass(frozen=True)
class Image:
    """What is booted, and how."""

    data: bytes
    protocol: boot.BootProtocol
    options: boot.BootOptions


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
    modules = tuple(boot.BootModule(text, _read(_module_path(text))) for text in args.initrd)
    options = boot.BootOptions(str(given[0]), args.append, modules)
    return Image(data, protocol, options)


def _module_path(text: str) -> Path:
    """Return the file of `FILE ARGUMENTS`, which is how QEMU gives a module its command line."""
    whole = Path(text)
    return whole if whole.exists() or " " not in text else Path(text.split(" ", 1)[0])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise boot.BootError(f"{path}: {error.strerror}") from None


def _run(args: argparse.Namespace, image: Image, stack: contextlib.ExitStack) -> Outcome:
    from pykern_c import Machine

    from pykern.machine.board import Board, BoardOptions  # needs the compiled core

    serial = stack.enter_context(opened_output(args.serial))
    debugcon = stack.enter_context(opened_output(args.debugcon))
    console = stack.enter_context(opened_input(args.serial))
    make = trace.tracing_machine(Machine, _note) if "mmio" in args.trace else Machine
    machine = make(args.memory, cpus=args.smp, cpu=args.cpu, seed=args.seed)
    board = Board(machine, BoardOptions(com1=serial.write, debugcon=debugcon.write))
    session = Session(
        machine=machine,
        start=lambda: start(machine, board, image),
        send=board.com1.receive,
        console=console,
        timeout_ns=args.timeout,
        reboot=not args.no_reboot,
        pacer=HostPacer() if args.clock == "host" else None,
        slice_ns=1 if "insn" in args.trace else SLICE_NS,
        before_slice=trace.instruction_tracer(machine, _note) if "insn" in args.trace else None,
        note=lambda line: _note(f"pykern: {line}"),
    )
    _add_checkpoints(session, args.state_hash_every, machine, board, stack)
    outcome = session.run()
    if args.screenshot is not None:
        display(board).render().save(args.screenshot, format="PNG")
    return outcome


def start(machine: Any, board: Any, image: Image) -> None:
    """Bring the machine to reset, and load the image into it."""
    machine.reset()
    board.reset()
    options = image.options
    if image.protocol.name != "firmware":
        rsdp = firmware.install(machine, AcpiPlatform(cpus=len(machine.vcpus)))
        options = boot.BootOptions(options.name, options.command_line, options.modules, rsdp)
        machine.virtual_wire()
    image.protocol.load(image.data, machine, options)


def display(board: Any) -> Any:
    """Return what is on the screen: the framebuffer if the machine has one, else the VGA."""
    return getattr(board, "framebuffer", board.vga)


def _note(line: str) -> None:
    print(line, file=sys.stderr)


def _add_checkpoints(
    session: Session,
    wanted: HashSpec | None,
    machine: Any,
    board: Any,
    stack: contextlib.ExitStack,
) -> None:
    """Have the state hashed as --state-hash-every asks for."""
    if wanted is None:
        return
    out = stack.enter_context(wanted.path.open("w")) if wanted.path else sys.stderr

    def write(now: int) -> None:
        print(f"{now} {state_hash(machine, board.save())}", file=out, flush=True)

    session.checkpoint_ns = wanted.interval_ns
    session.checkpoint = write
