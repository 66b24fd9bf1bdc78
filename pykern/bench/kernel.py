"""What the hosted kernel costs: system calls, messages, switches, tasks, a boot.

Rates are of CPU time of the host, on one machine whose kernel runs the program `kbench`; what a
program measures itself is virtual time. A shorter run of the same is subtracted, so that booting
does not count.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from images import cpio, prebuilt
from pykern.kernel.host import KernelHost
from pykern.machine import boot
from pykern.machine.board import BoardOptions, FramebufferOptions
from pykern.machine.computer import Computer, Image, MachineConfig
from pykern.machine.session import Session
from pykern_c import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRAM = "kbench"
_VIRTUAL = re.compile(rb": (\d+) virtual ns each")
_TIMEOUT_NS = 600 * 10**9


@dataclass(frozen=True)
class Rate:
    """A measured quantity beside its goal.

    Attributes
    ----------
    at_least : whether the goal is a least value, or a most
    """

    name: str
    value: float
    goal: float
    unit: str
    at_least: bool = True

    @property
    def reached(self) -> bool:
        """Whether the goal is met."""
        return self.value >= self.goal if self.at_least else self.value <= self.goal


class _Silence:
    """A serial port at which nobody types."""

    def read(self) -> bytes:
        """Return nothing."""
        return b""

    def wait(self, seconds: float | None) -> bool:
        """Return at once: no input will come."""
        del seconds
        return False


def run(command_line: str, cpus: int = 1, *, initrd: bytes) -> tuple[bytes, float, int]:
    """Boot the kernel and run it to its end.

    Returns
    -------
    What it printed, CPU seconds of the host without building the machine, virtual ns.
    """
    printed = bytearray()
    config = MachineConfig(cpus, 512 << 20, board=BoardOptions(com1=printed.extend))
    computer = Computer(config, Machine)
    host = KernelHost(computer.machine)
    modules = (boot.BootModule("initrd", initrd),)
    options = boot.BootOptions("pykern.elf", command_line, modules)
    image = Image(prebuilt.kernel().read_bytes(), boot.PROTOCOLS["limine"], options)
    session = Session(
        machine=computer.machine,
        start=lambda: computer.start(image),
        hostcall=host.hostcall,
        send=computer.board.com1.receive,
        console=_Silence(),
        timeout_ns=_TIMEOUT_NS,
    )
    before = time.process_time()
    session.run()
    return bytes(printed), time.process_time() - before, computer.machine.now


def rates() -> Iterator[Rate]:
    """Measure everything."""
    programs = prebuilt.programs()
    members = [cpio.Member(f"/bin/{_PROGRAM}", programs[_PROGRAM].read_bytes(), 0o100755)]
    initrd = cpio.archive(members, 0)
    calls, _ = _measure("syscall", 50_000, initrd)
    yield Rate("system calls that do nothing", calls, 200_000, "/s of host time")
    messages, virtual = _measure("ipc", 10_000, initrd)
    yield Rate("IPC messages between processes", messages, 20_000, "/s of host time")
    yield Rate("IPC messages between processes", 1e9 / virtual, 100_000, "/s of virtual time")
    switches, virtual = _measure("switch", 10_000, initrd)
    yield Rate("context switch, with its system call", virtual, 1000, "virtual ns", at_least=False)
    yield Rate(
        "context switch, with its system call", 1e6 / switches, 100, "µs of host time", False
    )
    _, seconds, virtual = run(f"init=/bin/{_PROGRAM} -- tasks 1000", 8, initrd=initrd)
    yield Rate("1,000 tasks on 8 CPUs", seconds, 30, "s of host time", at_least=False)
    yield Rate(
        "boot of the default image to its prompt", _boot(), 1, "s of host time", at_least=False
    )


def _measure(what: str, count: int, initrd: bytes) -> tuple[float, int]:
    """Return how many a second of CPU time, and the virtual ns of each."""
    line = f"init=/bin/{_PROGRAM} -- {what}"
    _, short, _ = run(f"{line} {count // 10}", initrd=initrd)
    printed, long, _ = run(f"{line} {count}", initrd=initrd)
    found = _VIRTUAL.search(printed)
    if found is None:
        raise RuntimeError(f"{_PROGRAM} {what}: {printed.decode(errors='replace')[-300:]}")
    return 0.9 * count / max(long - short, 1e-9), int(found[1])


def _boot() -> float:
    """Return CPU seconds from starting the machine to the shell's prompt, as `pykern boot` has it.

    That is with four processors and a screen.
    """
    printed = bytearray()
    screen = FramebufferOptions(1024, 768, pitch=4096)
    board = BoardOptions(com1=printed.extend, framebuffer=screen)
    computer = Computer(MachineConfig(4, board=board), Machine)
    host = KernelHost(computer.machine)
    data = prebuilt.default_image().read_bytes()
    image = Image(data, boot.PROTOCOLS["iso"], boot.BootOptions("pykern.iso"))
    before = time.process_time()
    computer.start(image)
    while not printed.endswith(b"# ") and computer.machine.now < _TIMEOUT_NS:
        exit_ = computer.machine.run(until_ns=computer.machine.now + 1_000_000)
        while exit_.reason.name == "HOSTCALL":
            host.hostcall(exit_)
            exit_ = computer.machine.run(until_ns=computer.machine.now + 1_000_000)
    return time.process_time() - before


def line(rate: Rate) -> str:
    """Return a rate as a line of the table."""
    verdict = "" if rate.reached else "   MISSED"
    sense = "at least" if rate.at_least else "at most"
    value = f"{rate.value:14,.2f} {rate.unit}"
    return f"{rate.name:<42} {value:<36} {sense} {rate.goal:,g}{verdict}"
