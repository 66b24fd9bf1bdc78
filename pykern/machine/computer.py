"""A PC as a whole: processors, board, and the image it boots.

The composition root of everything below the command line: what a test, a benchmark or a debugger
takes to have a machine with a kernel in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pykern.machine import board as wiring
from pykern.machine import boot, firmware
from pykern.machine.board import Board, BoardOptions
from pykern.machine.devices.vga_font import glyphs
from pykern.machine.firmware.acpi import AcpiPlatform, NumaNode
from pykern.machine.firmware.bios_services import Bios, insert
from pykern.machine.firmware.e820 import FOUR_GIB, memory_map
from pykern.machine.firmware.smbios import SmbiosPlatform

MIB = 1 << 20
NS_PER_SECOND = 1_000_000_000
PAGE = 4096
_LOADERS_THAT_MASK = {"limine"}  # protocols whose kernels are entered with every IRQ masked
_LOW_RAM_LIMIT = 3 << 30  # what is above it gives way to devices below 4 GiB


@dataclass(frozen=True)
class MachineConfig:
    """What is built.

    Parameters
    ----------
    cpus : number of processors
    memory : bytes of RAM
    cpu : model: v1, v2 or max
    seed : of the order in which processors take turns, and of RDRAND
    board : what can be chosen of the board
    numa_nodes : into how many nodes processors and RAM are divided
    """

    cpus: int = 1
    memory: int = 512 * MIB
    cpu: str = "max"
    seed: int = 0
    board: BoardOptions = field(default_factory=BoardOptions)
    numa_nodes: int = 1


@dataclass(frozen=True)
class Image:
    """What is booted, and how.

    Parameters
    ----------
    data : contents of the kernel, ROM or medium
    protocol : that loads it
    options : for the protocol
    resolution : width and height of the framebuffer it asks for, if it does, in pixels
    is_default : nobody has named it: it came with the package
    """

    data: bytes
    protocol: boot.BootProtocol
    options: boot.BootOptions
    resolution: tuple[int, int] | None = None
    is_default: bool = False


class Computer:
    """A machine on its board.

    Parameters
    ----------
    config : what to build
    machine_class : `pykern_c.Machine`, or a class derived from it
    """

    def __init__(self, config: MachineConfig, machine_class: Any) -> None:
        self.machine = machine_class(
            _memory(config), cpus=config.cpus, cpu=config.cpu, seed=config.seed
        )
        self.board = Board(self.machine, config.board)
        self.bios: Bios | None = None
        self._numa_nodes = config.numa_nodes
        self._start_time = int(config.board.start.timestamp())

    def start(self, image: Image) -> None:
        """Pull reset, do what firmware would do unless there is some, and load the image."""
        if self.bios is not None:
            self.bios.close()
            self.bios = None
        self.machine.reset()
        self.board.reset()
        options = image.options
        if image.protocol.name != "firmware":
            left = self._install_firmware()
            options = replace(
                options,
                rsdp=left.rsdp,
                smbios_32=left.smbios_32,
                smbios_64=left.smbios_64,
                framebuffer=self._framebuffer(),
                boot_time=self._start_time + self.machine.now // NS_PER_SECOND,
                start_medium=self._start_medium,
            )
            self.machine.virtual_wire()
            self.board.initialize()
            if image.protocol.name in _LOADERS_THAT_MASK:
                self.board.mask_interrupts()
        image.protocol.load(image.data, self.machine, options)

    def _install_firmware(self) -> firmware.Installed:
        """Leave tables in memory as a PC's firmware does."""
        cpus, ram = len(self.machine.vcpus), tuple(self.board.system_ram)
        nodes = numa_nodes(ram, cpus, self._numa_nodes)
        described = SmbiosPlatform(cpus, ram)
        return firmware.install(self.machine, platform(cpus, nodes), described)

    def _start_medium(self, medium: bytes, name: str) -> None:
        """Let the built-in BIOS start a medium."""
        memory = memory_map(self.machine.ram_ranges)
        font = np.packbits(glyphs(), axis=2).tobytes()
        self.bios = Bios(self.machine, self.board, insert(medium, name), memory, font)
        self.bios.start()

    def _framebuffer(self) -> boot.LinearFramebuffer | None:
        wanted = self.board.options.framebuffer
        if wanted is None:
            return None
        return boot.LinearFramebuffer(wanted.paddr, wanted.width, wanted.height, wanted.pitch)

    @property
    def display(self) -> Any:
        """What shows the picture: the framebuffer if there is one in use, else the VGA."""
        if self.bios is not None and not self.bios.vbe_mode:
            return self.board.vga
        return getattr(self.board, "framebuffer", self.board.vga)


def _memory(config: MachineConfig) -> list[tuple[int, int]]:
    """Return the ranges of RAM: below 3 GiB, from 4 GiB on, and for the framebuffer.

    With RAM behind it a framebuffer costs no exit per pixel.
    """
    low = min(config.memory, _LOW_RAM_LIMIT)
    ranges = [(0, low)]
    if config.memory > low:
        ranges.append((FOUR_GIB, config.memory - low))
    display = config.board.framebuffer
    if display is not None:
        size = display.height * display.pitch
        ranges.append((display.paddr, -(-size // PAGE) * PAGE))
    return ranges


def numa_nodes(ram: tuple[tuple[int, int], ...], cpus: int, count: int) -> tuple[NumaNode, ...]:
    """Divide processors and RAM evenly, in order.

    Raises
    ------
    ValueError : there are fewer processors than nodes, or less than a page of RAM for each
    """
    share = sum(size for _, size in ram) // count // PAGE * PAGE
    if not 1 <= count <= cpus or not share:
        raise ValueError(f"{count} NUMA nodes, expected 1 to {cpus}, a processor for each")
    nodes, rest = [], list(ram)
    for number in range(count):
        first, last = number * cpus // count, (number + 1) * cpus // count
        memory, rest = (rest, []) if number == count - 1 else _taken(rest, share)
        nodes.append(NumaNode(tuple(range(first, last)), tuple(memory)))
    return tuple(nodes)


def _taken(
    ranges: list[tuple[int, int]], size: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the first `size` bytes of ranges, and what is left of them."""
    (base, length), *rest = ranges
    if length > size:
        return [(base, size)], [(base + size, length - size), *rest]
    if length == size:
        return [(base, length)], rest
    more, rest = _taken(rest, size - length)
    return [(base, length), *more], rest


def platform(cpus: int, nodes: tuple[NumaNode, ...] = ()) -> AcpiPlatform:
    """Return what the ACPI tables say of this board."""
    return AcpiPlatform(
        cpus=cpus,
        nodes=nodes,
        hpet=wiring.HPET_BASE,
        sci=wiring.SCI_IRQ,
        smi_command=wiring.SMI_COMMAND,
        pm1a_event=wiring.PM1A_EVENT,
        pm1a_control=wiring.PM1A_CONTROL,
        pm_timer=wiring.PM_TIMER,
        gpe0=wiring.GPE0,
        reset_port=wiring.RESET_CONTROL,
        ecam=wiring.ECAM_BASE,
        last_bus=(wiring.ECAM_SIZE >> 20) - 1,
    )
