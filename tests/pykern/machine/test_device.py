"""Every device passes the device contract."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from pykern.machine.devices.acpi_pm import AcpiPm, SmiCommand
from pykern.machine.devices.coprocessor import Coprocessor
from pykern.machine.devices.debug_exit import DebugExit
from pykern.machine.devices.debugcon import Debugcon
from pykern.machine.devices.dma8237 import Dma8237, DmaPages
from pykern.machine.devices.fw_cfg import FwCfg
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
from pykern.machine.irq import IrqLine
from tests.contracts.device import DeviceContract, Rig
from tests.pykern.machine.fake_machine import FakeEvents

if TYPE_CHECKING:
    from collections.abc import Callable

START = dt.datetime(2026, 2, 28, 23, 59, 50, tzinfo=dt.UTC)


def ignore(*_: object) -> None:
    pass


def levels(*lines: IrqLine) -> Callable[[], list[bool]]:
    return lambda: [line.level for line in lines]


def pic() -> Rig:
    intr = IrqLine()
    device = Pic8259(intr)
    for irq in (0, 1, 8, 12):
        device.line(irq).set(True)
    return Rig(device, FakeEvents(), 6, levels(intr))


def pit() -> Rig:
    events, irq = FakeEvents(), IrqLine()
    return Rig(Pit8254(events, irq), events, 4, levels(irq))


def port61() -> Rig:
    events = FakeEvents()
    return Rig(Port61(Pit8254(events, IrqLine())), events, 1)


def rtc() -> Rig:
    events, irq = FakeEvents(), IrqLine()
    return Rig(Rtc146818(events, irq, START), events, 2, levels(irq))


def uart() -> Rig:
    events, irq = FakeEvents(), IrqLine()
    device = Uart16550(events, irq, ignore)
    device.receive(b"hello, world, this is more than sixteen")
    return Rig(device, events, 8, levels(irq))


def i8042() -> Rig:
    events = FakeEvents()
    irq1, irq12, a20 = IrqLine(), IrqLine(), IrqLine()
    keyboard, mouse = Ps2Keyboard(events), Ps2Mouse()
    device = I8042(
        events, irq1=irq1, irq12=irq12, a20=a20, stop=ignore, keyboard=keyboard, mouse=mouse
    )
    keyboard.key("a", down=True)
    keyboard.type_text("Hello")
    return Rig(device, events, 5, levels(irq1, irq12, a20))


def port92() -> Rig:
    a20 = IrqLine()
    return Rig(Port92(a20, ignore), FakeEvents(), 1, levels(a20))


def coprocessor() -> Rig:
    irq = IrqLine()
    device = Coprocessor(irq)
    device.assert_ferr()
    return Rig(device, FakeEvents(), 2, levels(irq))


def hpet() -> Rig:
    events = FakeEvents()
    irq0, irq8, legacy = IrqLine(), IrqLine(), IrqLine()
    routes = {gsi: IrqLine() for gsi in (20, 21, 22, 23)}
    device = Hpet(events, irq0=irq0, irq8=irq8, routes=routes, legacy=legacy)
    return Rig(device, events, 0x400, levels(irq0, irq8, legacy, *routes.values()))


def acpi_pm() -> Rig:
    events, sci = FakeEvents(), IrqLine()
    return Rig(AcpiPm(events, sci, ignore, timer_bits=24), events, 0x24, levels(sci))


def smi_command() -> Rig:
    events = FakeEvents()
    return Rig(SmiCommand(AcpiPm(events, IrqLine(), ignore)), events, 2)


def vga() -> Rig:
    events = FakeEvents()
    return Rig(VgaText(events, bytearray(WINDOW_SIZE)), events, 0x30)


def pci() -> Rig:
    bus = PciBus(ResetControl(ignore))
    bus.add(host_bridge(), slot=0)
    return Rig(bus, FakeEvents(), 8)


def simple(make: Callable[[], object], span: int) -> Callable[[], Rig]:
    return lambda: Rig(make(), FakeEvents(), span)


RIGS = {
    "acpi_pm": acpi_pm,
    "coprocessor": coprocessor,
    "debug_exit": simple(lambda: DebugExit(ignore), 4),
    "debugcon": simple(lambda: Debugcon(ignore), 1),
    "dma8237": simple(Dma8237, 16),
    "dma8237_16bit": simple(lambda: Dma8237(2), 32),
    "dma_pages": simple(DmaPages, 16),
    "fw_cfg": simple(lambda: FwCfg(1 << 20, 1, {"etc/test": b"content"}), 2),
    "hpet": hpet,
    "i8042": i8042,
    "memory": simple(lambda: Memory(64), 64),
    "pci": pci,
    "pic8259": pic,
    "pit8254": pit,
    "port61": port61,
    "port92": port92,
    "post": simple(Post, 1),
    "reset_control": simple(lambda: ResetControl(ignore), 1),
    "rtc146818": rtc,
    "smi_command": smi_command,
    "uart16550": uart,
    "vga_text": vga,
}


@pytest.fixture(params=RIGS.values(), ids=RIGS.keys())
def rig(request: pytest.FixtureRequest) -> Callable[[], Rig]:
    return request.param


class TestContract(DeviceContract):
    pass
