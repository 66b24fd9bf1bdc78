"""The wiring diagram of the PC: which device, at which address, on which interrupt line.

References
----------
IBM PC/AT Technical Reference: I/O Address Map, Interrupt Levels; Intel 82371AB (PIIX4) and 82801
datasheets for what came later; ACPI Specification 6.5, Interrupt Source Override (IRQ 0 is GSI 2).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pykern.machine.devices.acpi_pm import AcpiPm, SmiCommand
from pykern.machine.devices.ata import AtaChannel, ide_function, isa_bridge
from pykern.machine.devices.coprocessor import Coprocessor
from pykern.machine.devices.debug_exit import DebugExit
from pykern.machine.devices.debugcon import Debugcon
from pykern.machine.devices.dma8237 import Dma8237, DmaPages
from pykern.machine.devices.framebuffer import Framebuffer
from pykern.machine.devices.fw_cfg import E820_RAM, FwCfg, e820_file
from pykern.machine.devices.hpet import Hpet
from pykern.machine.devices.i8042 import I8042, Port92
from pykern.machine.devices.memory import Memory
from pykern.machine.devices.pci import PciBus, host_bridge
from pykern.machine.devices.pic8259 import Pic8259
from pykern.machine.devices.pit8254 import Pit8254, Port61
from pykern.machine.devices.post import Post
from pykern.machine.devices.ps2 import Ps2Keyboard, Ps2Mouse
from pykern.machine.devices.reset_control import ResetControl
from pykern.machine.devices.rtc146818 import Rtc146818
from pykern.machine.devices.uart16550 import Uart16550
from pykern.machine.devices.vga_text import WINDOW_SIZE, VgaText
from pykern.machine.irq import Gate, IrqLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pykern.machine.device import Device, Events, State, StopReason
    from pykern.machine.devices.ata_drive import Medium
    from pykern.machine.irq import Line

__all__ = ["Board", "BoardOptions", "FramebufferOptions", "MachineLike"]

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

# What firmware tables repeat.
PM_BASE = 0x600
PM1A_EVENT, PM1A_CONTROL, PM_TIMER, GPE0 = PM_BASE, PM_BASE + 4, PM_BASE + 8, PM_BASE + 0x20
SMI_COMMAND = 0xB2
RESET_CONTROL = 0xCF9
HPET_BASE = 0xFED0_0000
ECAM_BASE, ECAM_SIZE = 0xE000_0000, 1 << 20  # bus 0 only
SCI_IRQ = 9
HPET_ROUTES = (20, 21, 22, 23)
VGA_WINDOW = 0xA_0000

COM1_IRQ, COM2_IRQ, KEYBOARD_IRQ, RTC_IRQ, MOUSE_IRQ, FERR_IRQ = 4, 3, 1, 8, 12, 13
ATA_CHANNELS = (("ata0", 0x1F0, 0x3F6, 14), ("ata1", 0x170, 0x376, 15))
DRIVES_MOST = 2 * len(ATA_CHANNELS)


class IoApicLike(Protocol):
    """The inputs of the I/O APIC, numbered as global system interrupts."""

    def line(self, pin: int) -> Line:
        """Return the wire to an input."""


class ApicsLike(Protocol):
    """The interrupt controllers of the CPUs."""

    @property
    def ioapic(self) -> IoApicLike:
        """Where interrupts go in APIC mode."""

    def lint(self, pin: int) -> Line:
        """Return the wire to LINT0 or LINT1 of all local APICs."""


class MachineLike(Protocol):
    """What the board needs of a machine."""

    @property
    def events(self) -> Events:
        """Virtual time."""

    @property
    def ram_ranges(self) -> Sequence[tuple[int, int]]:
        """(base, size) of every range of RAM."""

    @property
    def vcpus(self) -> Sequence[object]:
        """The CPUs."""

    @property
    def apics(self) -> ApicsLike:
        """Their interrupt controllers."""

    a20: bool
    """Whether address bit 20 passes."""

    def connect_pic(self, acknowledge: Callable[[], int]) -> None:
        """Take what runs an INTA cycle."""

    def connect_ferr(self, asserted: Callable[[], None]) -> None:
        """Take what FERR# drives."""

    def map_ports(self, port: int, count: int, device: Device, *, base: int = 0) -> None:
        """Give ports to a device; offset = port - first + base."""

    def map_mmio(self, paddr: int, size: int, device: Device) -> None:
        """Give physical addresses to a device."""

    def view(self, paddr: int, size: int) -> memoryview:
        """Return a writable view of RAM."""

    def stop(self, reason: StopReason, code: int = 0) -> None:
        """End `run()`."""


def _nowhere(_data: bytes) -> None:
    """Be an open connector."""


@dataclass(frozen=True)
class FramebufferOptions:
    """A linear framebuffer: in RAM if there is RAM at `paddr`, else with memory of its own."""

    width: int = 1024
    height: int = 768
    pitch: int = 4096
    paddr: int = 0xFD00_0000


@dataclass(frozen=True)
class BoardOptions:
    """What can be chosen.

    Attributes
    ----------
    com1, com2, debugcon : take what the guest sends to the serial ports and to port 0xE9 or 0x402
    start : date and time of the clock at virtual time 0
    framebuffer : None for a machine with text screen only
    hpet_timers : comparators, 3 to 32
    pm_timer_bits : 24 or 32
    fw_cfg_files : further files of the firmware configuration device
    disks : of the IDE controller, two on each channel; without any there is no controller
    """

    com1: Callable[[bytes], None] = _nowhere
    com2: Callable[[bytes], None] = _nowhere
    debugcon: Callable[[bytes], None] = _nowhere
    start: dt.datetime = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    framebuffer: FramebufferOptions | None = None
    hpet_timers: int = 3
    pm_timer_bits: int = 32
    fw_cfg_files: Mapping[str, bytes] = field(default_factory=dict)
    disks: Sequence[Medium] = ()


class Board:
    """All devices of the PC, wired to a machine.

    Parameters
    ----------
    machine : gets ports, memory and interrupt lines
    options : what can be chosen

    Attributes
    ----------
    a20 : wire that is high while address bit 20 passes
    devices : every device by name, in the order of reset
    """

    def __init__(self, machine: MachineLike, options: BoardOptions | None = None) -> None:
        self.machine = machine
        self.options = options or BoardOptions()
        self._create_interrupt_lines()
        self._create_timers()
        self._create_ports()
        self._create_disks()
        self._create_display()
        self._create_firmware_devices()
        self.devices: dict[str, Device] = {
            name: getattr(self, name) for name in _DEVICES if hasattr(self, name)
        }
        self._map_ports()
        self._map_memory()

    # Interrupts: each ISA IRQ reaches its 8259 and its I/O APIC input

    def _create_interrupt_lines(self) -> None:
        self.pic = Pic8259(intr=self.machine.apics.lint(0))
        self.machine.connect_pic(self.pic.acknowledge)
        self.isa = {irq: self._isa_line(irq) for irq in range(16) if irq != 2}
        self.a20 = IrqLine(self._gate_a20)
        self.coprocessor = Coprocessor(irq=self.isa[FERR_IRQ])
        self.machine.connect_ferr(self.coprocessor.assert_ferr)

    def _gate_a20(self, passes: bool) -> None:
        self.machine.a20 = passes

    def _isa_line(self, irq: int) -> IrqLine:
        gsi = 2 if irq == 0 else irq
        return IrqLine(self.pic.line(irq).set, self.machine.apics.ioapic.line(gsi).set)

    def _create_timers(self) -> None:
        """Let the HPET's legacy replacement take IRQ 0 from the 8254 and IRQ 8 from the RTC."""
        events, isa = self.machine.events, self.isa
        legacy = IrqLine()
        self.pit = Pit8254(events, irq0=Gate(isa[0].driver(), blocked_by=legacy))
        self.port61 = Port61(self.pit)
        rtc_irq = Gate(isa[RTC_IRQ].driver(), blocked_by=legacy)
        self.rtc = Rtc146818(events, irq=rtc_irq, start=self.options.start)
        self.hpet = Hpet(
            events,
            irq0=isa[0].driver(),
            irq8=isa[RTC_IRQ].driver(),
            routes={gsi: IrqLine(self.machine.apics.ioapic.line(gsi).set) for gsi in HPET_ROUTES},
            legacy=legacy,
            comparators=self.options.hpet_timers,
        )
        self.pm = AcpiPm(
            events, sci=isa[SCI_IRQ], stop=self.machine.stop, timer_bits=self.options.pm_timer_bits
        )
        self.smi_command = SmiCommand(self.pm)

    def _create_ports(self) -> None:
        events, isa, stop = self.machine.events, self.isa, self.machine.stop
        self.com1 = Uart16550(events, irq=isa[COM1_IRQ], out=self.options.com1)
        self.com2 = Uart16550(events, irq=isa[COM2_IRQ], out=self.options.com2)
        self.keyboard = Ps2Keyboard(events)
        self.mouse = Ps2Mouse()
        self.i8042 = I8042(
            events,
            irq1=isa[KEYBOARD_IRQ],
            irq12=isa[MOUSE_IRQ],
            a20=self.a20.driver(),
            stop=stop,
            keyboard=self.keyboard,
            mouse=self.mouse,
        )
        self.port92 = Port92(a20=self.a20.driver(), stop=stop)
        self.pci = PciBus(ResetControl(stop))
        self.pci.add(host_bridge(), slot=0)
        self.dma1 = Dma8237(step=1)
        self.dma2 = Dma8237(step=2)
        self.dma_pages = DmaPages()

    def _create_disks(self) -> None:
        disks = self.options.disks
        if len(disks) > DRIVES_MOST:
            raise ValueError(f"{len(disks)} disks, expected at most {DRIVES_MOST}")
        if not disks:
            return
        self.pci.add(isa_bridge(), slot=1)
        self.pci.add(ide_function(), slot=1, number=1)
        for number, (name, _, _, irq) in enumerate(ATA_CHANNELS):
            media = disks[2 * number : 2 * number + 2]
            if media:
                channel = AtaChannel(
                    self.machine.events, irq=self.isa[irq], media=media, first=2 * number
                )
                setattr(self, name, channel)

    def _create_display(self) -> None:
        """Use RAM for display memory where there is RAM: then drawing makes no exits."""
        if self._has_ram(VGA_WINDOW, WINDOW_SIZE):
            window: memoryview | bytearray = self.machine.view(VGA_WINDOW, WINDOW_SIZE)
        else:
            self.vga_memory = Memory(WINDOW_SIZE)
            window = self.vga_memory.data
        self.vga = VgaText(self.machine.events, window)
        wanted = self.options.framebuffer
        if wanted is None:
            return
        size = wanted.height * wanted.pitch
        if self._has_ram(wanted.paddr, size):
            pixels: memoryview | bytearray = self.machine.view(wanted.paddr, size)
        else:
            self.framebuffer_memory = Memory(size)
            pixels = self.framebuffer_memory.data
        self.framebuffer = Framebuffer(pixels, wanted.width, wanted.height, wanted.pitch)

    def _has_ram(self, paddr: int, size: int) -> bool:
        return any(
            base <= paddr and paddr + size <= base + length
            for base, length in self.machine.ram_ranges
        )

    @property
    def system_ram(self) -> list[tuple[int, int]]:
        """(base, size) of every range of RAM but the framebuffer's."""
        wanted = self.options.framebuffer
        display = None if wanted is None else wanted.paddr
        return [(base, size) for base, size in self.machine.ram_ranges if base != display]

    # Firmware

    def _create_firmware_devices(self) -> None:
        self.debugcon = Debugcon(self.options.debugcon)
        self.debug_exit = DebugExit(self.machine.stop)
        self.post = Post()
        ram = self.system_ram
        files = {"etc/e820": e820_file([(base, size, E820_RAM) for base, size in ram])}
        total = sum(size for _, size in ram)
        self.fw_cfg = FwCfg(total, len(self.machine.vcpus), {**files, **self.options.fw_cfg_files})
        self._fill_cmos()

    def _fill_cmos(self) -> None:
        """Write what the PC/AT's setup program wrote, and what QEMU adds for its firmware."""
        low = next((size for base, size in self.machine.ram_ranges if base == 0), 0)
        high = sum(size for base, size in self.machine.ram_ranges if base >= 4 * GIB)
        extended = max(low - MIB, 0)
        self.rtc.store(0x14, b"\x06")  # equipment: mouse port, FPU
        self.rtc.store(0x15, (min(low, 640 * KIB) // KIB).to_bytes(2, "little"))
        for index in (0x17, 0x30):
            self.rtc.store(index, min(extended // KIB, 0xFFFF).to_bytes(2, "little"))
        above_16m = max(low - 16 * MIB, 0) // (64 * KIB)
        self.rtc.store(0x34, min(above_16m, 0xFFFF).to_bytes(2, "little"))
        self.rtc.store(0x5B, min(high // (64 * KIB), 0xFF_FFFF).to_bytes(3, "little"))
        self.rtc.store(0x5F, bytes((len(self.machine.vcpus) - 1 & 0xFF,)))

    def initialize(self) -> None:
        """Do what a PC's firmware does to the chips before it starts an operating system.

        For boot protocols that start without firmware: IRQ 0-7 at vectors 08H-0FH, IRQ 8-15 at
        70H-77H, timer at 18.2 Hz, keyboard, timer, RTC and mouse unmasked, SCI level triggered.
        """
        for port, (icw2, icw3, mask) in {0: (0x08, 0x04, 0xF8), 2: (0x70, 0x02, 0xEE)}.items():
            self.pic.write(port, 1, 0x11)
            for value in (icw2, icw3, 0x01, mask):
                self.pic.write(port + 1, 1, value)
        self.pit.write(3, 1, 0x34)
        for _ in range(2):
            self.pit.write(0, 1, 0x00)
        self.pic.write(5, 1, 1 << SCI_IRQ - 8)  # ELCR: the SCI is level triggered
        self.dma2.write(10 * 2, 1, 0x00)  # unmask channel 4, which cascades the other controller

    def mask_interrupts(self) -> None:
        """Mask every line at the 8259s, as some boot loaders do for their kernels."""
        self.pic.write(1, 1, 0xFF)
        self.pic.write(3, 1, 0xFF)

    # The address map

    def _map_ports(self) -> None:
        for port, count, device, base in (
            (0x000, 16, self.dma1, 0),
            (0x020, 2, self.pic, 0),
            (0x040, 4, self.pit, 0),
            (0x060, 1, self.i8042, 0),
            (0x061, 1, self.port61, 0),
            (0x064, 1, self.i8042, 4),
            (0x070, 2, self.rtc, 0),
            (0x080, 1, self.post, 0),
            (0x081, 15, self.dma_pages, 1),
            (0x092, 1, self.port92, 0),
            (0x0A0, 2, self.pic, 2),
            (SMI_COMMAND, 2, self.smi_command, 0),
            (0x0C0, 32, self.dma2, 0),
            (0x0E9, 1, self.debugcon, 0),
            (0x0F0, 2, self.coprocessor, 0),
            (0x0F4, 4, self.debug_exit, 0),
            (0x2F8, 8, self.com2, 0),
            (0x3B0, 48, self.vga, 0),
            (0x3F8, 8, self.com1, 0),
            (0x402, 1, self.debugcon, 0),
            (0x4D0, 2, self.pic, 4),
            (0x501, 4, self.debug_exit, 0),
            (0x510, 2, self.fw_cfg, 0),
            (PM_BASE, 0x40, self.pm, 0),
            (0xCF8, 8, self.pci, 0),  # RESET_CONTROL lies inside
        ):
            self.machine.map_ports(port, count, device, base=base)
        for name, command_block, control, _ in ATA_CHANNELS:
            if name in self.devices:
                self.machine.map_ports(command_block, 8, self.devices[name])
                self.machine.map_ports(control, 1, self.devices[name], base=8)

    def _map_memory(self) -> None:
        self.machine.map_mmio(HPET_BASE, 0x400, self.hpet)
        self.machine.map_mmio(ECAM_BASE, ECAM_SIZE, self.pci.ecam)
        if "vga_memory" in self.devices:
            self.machine.map_mmio(VGA_WINDOW, WINDOW_SIZE, self.vga_memory)
        if "framebuffer_memory" in self.devices and self.options.framebuffer is not None:
            size = len(self.framebuffer_memory.data)
            self.machine.map_mmio(self.options.framebuffer.paddr, size, self.framebuffer_memory)

    # State

    def reset(self) -> None:
        """Pull the reset line of every device."""
        for device in self.devices.values():
            device.reset()

    def save(self) -> dict[str, State]:
        """Return the state of every device by name."""
        return {name: device.save() for name, device in self.devices.items()}

    def load(self, state: Mapping[str, State]) -> None:
        """Take the states back; the interrupt controllers of the CPUs must be loaded afterwards."""
        for name, device in self.devices.items():
            device.load(state[name])


# The 8259 comes last: the others drive their lines while they are loaded, and it sees edges.
_DEVICES = (
    *("pit", "port61", "rtc", "hpet", "pm", "smi_command", "com1", "com2", "i8042", "port92"),
    *("coprocessor", "ata0", "ata1"),
    *("pci", "dma1", "dma2", "dma_pages", "vga", "vga_memory", "framebuffer_memory"),
    *("debugcon", "debug_exit", "post", "fw_cfg", "pic"),
)
