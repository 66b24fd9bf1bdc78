"""Booting an image in this process, to look at the kernel object afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from images import build, cpio, manifest, prebuilt
from images.boot import loader
from pykern.kernel.drivers.screen_text import read_text
from pykern.kernel.host import KernelHost
from pykern.kernel.page_trace import PageTrace
from pykern.machine.board import BoardOptions, FramebufferOptions
from pykern.machine.boot import PROTOCOLS, BootModule, BootOptions, iso
from pykern.machine.computer import Computer, Image, MachineConfig
from pykern.machine.session import Outcome, Session
from pykern_c import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pykern.kernel.kernel import Kernel
    from pykern.kernel.timeline import Timeline

MIB, NS_PER_S = 1 << 20, 1_000_000_000


def packaged() -> None:
    """Build what comes with the package, unless it is there; skip where that cannot be done."""
    if prebuilt.default_image().exists():
        return
    try:
        prebuilt.build()
    except Exception as error:
        pytest.skip(f"nothing is built, and nothing can be built: {error}")


def image(name: str) -> bytes:
    """Return one of the images that pykern describes."""
    packaged()
    inputs = build.Inputs(prebuilt.kernel(), loader.load(), prebuilt.programs())
    return build.build(manifest.load(manifest.find(name)), inputs)


class Keyboard:
    """Types everything at the beginning, as a file does."""

    def __init__(self, typed: bytes) -> None:
        self._typed = typed

    def read(self) -> bytes:
        typed, self._typed = self._typed, b""
        return typed

    def wait(self, seconds: float | None) -> bool:
        del seconds
        return False


@dataclass
class Booted:
    """A machine that has run to its end.

    Attributes
    ----------
    serial : what came out of the serial port
    picture : bytes of the framebuffer, 1024x768
    pages : the references of programs, if they were to be recorded
    """

    computer: Computer
    kernel: Kernel
    outcome: Outcome
    serial: bytes
    picture: np.ndarray = field(repr=False)
    timeline: Timeline | None = None
    pages: PageTrace | None = None

    @property
    def log(self) -> str:
        return self.serial.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def screen(self) -> str:
        return read_text(self.picture)


def boot(
    medium: bytes,
    *,
    cpus: int = 1,
    memory: int = 64 * MIB,
    numa: int = 1,
    append: str = "",
    typed: bytes = b"",
    keys: str = "",
    seed: int = 0,
    timeout_ns: int | None = 60 * NS_PER_S,
    files: Mapping[str, bytes] | None = None,
    timeline: Callable[[Machine], Timeline] | None = None,
    page_trace: bool = False,
) -> Booted:
    """Boot an ISO image until the machine is turned off, panics, or that virtual time is over.

    Parameters
    ----------
    typed : what arrives at the serial console
    keys : what is typed on the keyboard
    files : programs by path, for the root file system
    page_trace : have the pages recorded that programs use
    """
    serial = bytearray()
    board = BoardOptions(com1=serial.extend, framebuffer=FramebufferOptions(1024, 768, pitch=4096))
    computer = Computer(
        MachineConfig(cpus, memory, seed=seed, board=board, numa_nodes=numa), Machine
    )
    kept = timeline(computer.machine) if timeline is not None else None
    host = KernelHost(computer.machine, kept)
    pages = PageTrace(computer.machine, lambda: host.kernel) if page_trace else None
    members = [cpio.Member(path, data, 0o100755) for path, data in (files or {}).items()]
    modules = (BootModule("more", cpio.archive(members, 0)),) if members else ()
    selected = iso.select(medium, BootOptions("image.iso", append, modules))
    loaded = Image(selected.kernel, PROTOCOLS["limine"], selected.options)

    def start() -> None:
        host.reset()
        computer.start(loaded)
        computer.board.keyboard.type_text(keys)

    session = Session(
        machine=computer.machine,
        start=start,
        send=computer.board.com1.receive,
        console=Keyboard(typed),
        timeout_ns=timeout_ns,
        reboot=False,
        hostcall=host.hostcall,
    )
    outcome = session.run()
    picture = np.asarray(computer.display.render())
    return Booted(computer, host.kernel, outcome, bytes(serial), picture, kept, pages)
