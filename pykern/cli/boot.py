"""`pykern boot`: make a machine, put an image into it, run it, say how it ended."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pykern.cli import debugger, trace, usage
from pykern.cli.boot_image import read_image
from pykern.cli.border import Border
from pykern.cli.errors import UsageError
from pykern.cli.host_clock import HostPacer
from pykern.cli.terminal import opened_input, opened_output
from pykern.config import DEFAULT_RESOLUTION, PRESETS, Resolution
from pykern.debug.history.recording import RecordingError
from pykern.debug.history.reversible_machine import ReversibleMachine
from pykern.kernel.host import KernelHost
from pykern.kernel.page_trace import PageTrace
from pykern.kernel.run_metrics import run_metrics
from pykern.kernel.timeline import Timeline
from pykern.machine.board import BoardOptions, FramebufferOptions
from pykern.machine.computer import Computer, MachineConfig
from pykern.machine.devices.framebuffer import BYTES_PER_PIXEL
from pykern.machine.media import DiskImage, MediaError
from pykern.machine.session import Outcome, Session
from pykern.machine.state_hash import state_hash
from pykern_c import Machine

if TYPE_CHECKING:
    import argparse

    from pykern.cli.terminal import NoInput
    from pykern.config import HashSpec
    from pykern.debug.history.recording import Recording
    from pykern.machine.computer import Image


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    usage.check(args)
    recording = debugger.recording(args)
    image = read_image(args)
    with contextlib.ExitStack() as stack:
        try:
            outcome = _run(args, image, recording, stack)
        except RecordingError as error:
            raise UsageError(f"--load {args.load}: {error}") from None
    for line in outcome.lines:
        print(f"pykern: {line}" if line is outcome.lines[0] else line, file=sys.stderr)
    return outcome.status


def _run(
    args: argparse.Namespace,
    image: Image,
    recording: Recording | None,
    stack: contextlib.ExitStack,
) -> Outcome:
    serial = stack.enter_context(opened_output(args.serial))
    debugcon = stack.enter_context(opened_output(args.debugcon))
    console = stack.enter_context(opened_input(args.serial))
    debugger.show_once(args, serial, debugcon)
    disks = _disks(args)
    board = BoardOptions(
        com1=serial.write,
        debugcon=debugcon.write,
        framebuffer=_framebuffer(args, image),
        disks=disks,
    )
    traced = "mmio" in args.trace
    computer = Computer(
        _config(args, image, board), trace.tracing_machine(Machine, _note) if traced else Machine
    )
    host = KernelHost(computer.machine, _timeline(args, computer.machine, stack))
    _record_pages(args, host, stack)
    border = Border(args, host, console, _note)
    border.open(stack)
    session = _session(args, image, computer, console, host, border)
    _add_checkpoints(session, args, computer, stack)
    origin = debugger.origin(
        args, lambda: state_hash(computer.machine, computer.board.save()), recording
    )
    debugged = debugger.attach(args, session, host, image, console, stack, origin)
    if recording is not None:
        assert isinstance(debugged, ReversibleMachine)
        debugged.load(recording)
    outcome = session.run()
    border.ended()
    if debugged is not None:
        debugged.ended(outcome.status)
    _write_results(args, image, computer, host, disks)
    return outcome


def _config(args: argparse.Namespace, image: Image, board: BoardOptions) -> MachineConfig:
    cpus = args.smp or PRESETS[args.preset or ("smp4" if image.is_default else "single")]
    if args.numa > cpus:
        raise UsageError(f"--numa {args.numa} with {cpus} processors, expected one for each node")
    return MachineConfig(cpus, args.memory, args.cpu, args.seed, board, args.numa)


def _write_results(
    args: argparse.Namespace,
    image: Image,
    computer: Computer,
    host: KernelHost,
    disks: list[DiskImage],
) -> None:
    """Write what is asked for of a run that has ended."""
    if args.write_back:
        _write_back(computer, image, disks)
    if args.screenshot is not None:
        computer.display.render().save(args.screenshot, format="PNG")
    if args.metrics is not None:
        _write_metrics(args.metrics, host)


def _disks(args: argparse.Namespace) -> list[DiskImage]:
    """Return the disks of --disk."""
    try:
        return [DiskImage(path) for path in args.disk]
    except MediaError as error:
        raise UsageError(f"--disk {error}") from None


def _write_back(computer: Computer, image: Image, disks: list[DiskImage]) -> None:
    """Write the drives that the guest has changed to their files."""
    for disk in disks:
        disk.write_back()
    if computer.bios is None:
        return
    for drive in computer.bios.media.drives.values():
        if drive.writable and drive.data[: len(image.data)] != image.data:
            Path(image.options.name).write_bytes(drive.data[: len(image.data)])


def _framebuffer(args: argparse.Namespace, image: Image) -> FramebufferOptions | None:
    """Return what --framebuffer asks for, or what the image's protocol can make use of."""
    default = DEFAULT_RESOLUTION if image.protocol.name in {"limine", "bios"} else None
    if image.resolution is not None:
        default = Resolution(*image.resolution)
    size = getattr(args, "framebuffer", default)
    if size is None:
        return None
    return FramebufferOptions(size.width, size.height, pitch=size.width * BYTES_PER_PIXEL)


def _session(
    args: argparse.Namespace,
    image: Image,
    computer: Computer,
    console: NoInput,
    host: KernelHost,
    border: Border,
) -> Session:
    def start() -> None:
        host.reset()
        border.reset()
        computer.start(image)

    session = Session(
        machine=computer.machine,
        start=start,
        hostcall=host.hostcall,
        needs_input=lambda: (
            not _paced(args) and not debugger.wanted(args) and host.kernel.needs_input()
        ),
        send=computer.board.com1.receive,
        console=console,
        timeout_ns=args.timeout,
        reboot=not args.no_reboot,
        pacer=HostPacer() if _paced(args) else None,
        note=lambda line: _note(f"pykern: {line}"),
        visit=border.visit,
    )
    if "int" in args.trace:
        trace.trace_interrupts(computer.machine, _note)
    if "insn" in args.trace:
        trace.trace_instructions(computer.machine, _note)
    return session


def _timeline(
    args: argparse.Namespace, machine: Machine, stack: contextlib.ExitStack
) -> Timeline | None:
    """Return what writes the timeline that is asked for."""
    if args.timeline is None:
        return None
    timeline = Timeline(machine, stack.enter_context(args.timeline.open("w", encoding="utf-8")))
    stack.callback(timeline.close)
    return timeline


def _write_metrics(path: Path, host: KernelHost) -> None:
    """Write what the hosted kernel has counted."""
    if not host.kernel.cpus:
        _note(f"pykern: {path} was not written: the guest's kernel is not pykern's, or not up")
        return
    path.write_text(run_metrics(host.kernel), encoding="utf-8")


def _record_pages(args: argparse.Namespace, host: KernelHost, stack: contextlib.ExitStack) -> None:
    """Have the pages recorded that programs use, if that is asked for."""
    if args.page_trace is None:
        return
    if debugger.wanted(args):
        raise UsageError("--page-trace with a debugger: gdb may go back and run a part again")
    out = stack.enter_context(args.page_trace.open("w", encoding="utf-8"))
    trace = PageTrace(host.machine, lambda: host.kernel)
    stack.callback(lambda: out.write(trace.json()))


def _paced(args: argparse.Namespace) -> bool:
    """Tell whether virtual time is kept from running ahead of the wall clock."""
    typed = args.serial.kind == "stdio" and sys.stdin is not None and sys.stdin.isatty()
    return bool((args.clock or ("host" if typed else "virtual")) == "host")


def _note(line: str) -> None:
    print(line, file=sys.stderr)


def _add_checkpoints(
    session: Session,
    args: argparse.Namespace,
    computer: Computer,
    stack: contextlib.ExitStack,
) -> None:
    """Have the state hashed as --state-hash-every asks for."""
    wanted: HashSpec | None = args.state_hash_every
    if wanted is None:
        return
    out = sys.stderr
    if wanted.path is not None:
        out = debugger.once(args, stack.enter_context(wanted.path.open("w")))

    def write(now: int) -> None:
        print(f"{now} {state_hash(computer.machine, computer.board.save())}", file=out, flush=True)

    session.checkpoint_ns = wanted.interval_ns
    session.checkpoint = write
