"""8042 and port 0x92: commands, translation, interrupts, A20, reset."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from pykern.machine.board import Board
from pykern.machine.device import StopReason
from pykern.machine.devices.i8042 import BYTE_NS, I8042, Port92
from pykern.machine.devices.ps2 import Ps2Keyboard, Ps2Mouse
from pykern.machine.irq import IrqLine
from tests.pykern.machine.fake_machine import FakeEvents, FakeMachine, Recorder
from tests.pykern.machine.qemu_oracle import Script, needs_qemu

if TYPE_CHECKING:
    from collections.abc import Callable

DATA, COMMAND = 0, 4
OBF, SYS, COMMAND_LAST, MOUSE_DATA = 0x01, 0x04, 0x08, 0x20


class Bench:
    def __init__(self) -> None:
        self.events = FakeEvents()
        self.irq1, self.irq12, self.a20 = IrqLine(), IrqLine(), IrqLine()
        self.stops: list[tuple[str, int]] = []
        self.keyboard = Ps2Keyboard(self.events)
        self.mouse = Ps2Mouse()
        self.controller = I8042(
            self.events,
            irq1=self.irq1,
            irq12=self.irq12,
            a20=self.a20.driver(),
            stop=lambda reason, code: self.stops.append((reason, code)),
            keyboard=self.keyboard,
            mouse=self.mouse,
        )

    def command(self, *values: int) -> None:
        """Write a command, and the rest as data."""
        self.controller.write(COMMAND, 1, values[0])
        for value in values[1:]:
            self.controller.write(DATA, 1, value)

    def data(self, value: int) -> None:
        self.controller.write(DATA, 1, value)

    @property
    def status(self) -> int:
        return self.controller.read(COMMAND, 1)

    def read(self) -> int:
        """Wait for a byte and take it."""
        self.events.advance(BYTE_NS)
        assert self.status & OBF, "no byte came"
        return self.controller.read(DATA, 1)

    def drain(self) -> bytes:
        """Take all bytes that come."""
        data = bytearray()
        self.events.advance(3 * BYTE_NS)
        while self.status & OBF:
            data.append(self.controller.read(DATA, 1))
            self.events.advance(3 * BYTE_NS)
        return bytes(data)


@pytest.fixture
def it() -> Bench:
    return Bench()


def test_self_tests(it: Bench) -> None:
    for command, answer in ((0xAA, 0x55), (0xAB, 0x00), (0xA9, 0x00)):
        it.command(command)
        assert it.status & (OBF | SYS) == OBF | SYS
        assert it.controller.read(DATA, 1) == answer
        assert not it.status & OBF


def test_command_byte_reads_back(it: Bench) -> None:
    it.command(0x60, 0x47)
    it.command(0x20)
    assert it.read() == 0x47


def test_controller_memory(it: Bench) -> None:
    it.command(0x7F, 0xA5)
    it.command(0x3F)
    assert it.read() == 0xA5


def test_status_tells_what_was_written_last(it: Bench) -> None:
    it.command(0xAE)
    assert it.status & COMMAND_LAST
    it.data(0xEE)
    assert not it.status & COMMAND_LAST


def test_keys_come_translated_to_set_1(it: Bench) -> None:
    it.keyboard.key("a", down=True)
    it.keyboard.key("a", down=False)
    it.keyboard.key("up", down=True)
    it.keyboard.key("up", down=False)
    assert it.drain() == bytes.fromhex("1E 9E E0 48 E0 C8")


def test_keys_come_as_set_2_without_translation(it: Bench) -> None:
    it.command(0x60, 0x01)
    it.keyboard.key("a", down=True)
    it.keyboard.key("a", down=False)
    it.keyboard.key("up", down=True)
    it.keyboard.key("up", down=False)
    assert it.drain() == bytes.fromhex("1C F0 1C E0 75 E0 F0 75")


def test_irregular_keys_are_translated(it: Bench) -> None:
    it.keyboard.key("pause", down=True)
    assert it.drain() == bytes.fromhex("E1 1D 45 E1 9D C5")
    it.keyboard.key("print_screen", down=True)
    it.keyboard.key("print_screen", down=False)
    assert it.drain() == bytes.fromhex("E0 2A E0 37 E0 B7 E0 AA")
    it.keyboard.key("f7", down=True)
    assert it.drain()[:1] == b"\x41"


def test_each_byte_makes_an_edge_on_irq1(it: Bench) -> None:
    edges = Recorder(it.events, it.irq1)
    it.keyboard.key("left", down=True)
    assert it.drain() == b"\xe0\x4b"
    assert len(edges.rises) == 2
    assert not it.irq1.level


def test_no_irq_when_disabled_in_the_command_byte(it: Bench) -> None:
    it.command(0x60, 0x40)
    it.keyboard.key("a", down=True)
    it.events.advance(BYTE_NS)
    assert it.status & OBF
    assert not it.irq1.level


def test_reading_twice_gives_the_same_byte(it: Bench) -> None:
    it.keyboard.type_text("ab")
    it.events.advance(BYTE_NS)
    assert it.controller.read(DATA, 1) == it.controller.read(DATA, 1) == 0x1E


def test_a_disabled_keyboard_waits(it: Bench) -> None:
    it.command(0xAD)
    it.keyboard.key("b", down=True)
    assert it.drain() == b""
    it.command(0xAE)
    assert it.drain()[:1] == b"\x30"


def test_answers_of_the_keyboard_are_translated_too(it: Bench) -> None:
    it.data(0xF2)
    assert it.drain() == b"\xfa\xab\x41"
    it.command(0x60, 0x01)
    it.data(0xF2)
    assert it.drain() == b"\xfa\xab\x83"


def test_output_port_and_a20(it: Bench) -> None:
    assert it.a20.level
    it.command(0xD1, 0xDD)
    assert not it.a20.level
    it.command(0xD0)
    assert it.read() & 0x03 == 0x01
    it.command(0xD1, 0xDF)
    assert it.a20.level
    it.command(0xDD)
    assert not it.a20.level
    it.command(0xDF)
    assert it.a20.level
    assert it.stops == []


@pytest.mark.parametrize("command", [(0xFE,), (0xF0,), (0xD1, 0x02)])
def test_resets(it: Bench, command: tuple[int, ...]) -> None:
    it.command(*command)
    assert it.stops == [(StopReason.RESET, 0)]


@pytest.mark.parametrize("command", [0xFF, 0xFD, 0xF1])
def test_pulses_without_bit_0_do_not_reset(it: Bench, command: int) -> None:
    it.command(command)
    assert it.stops == []


def test_pretended_bytes(it: Bench) -> None:
    it.command(0xD2, 0x1C)
    assert it.status & (OBF | MOUSE_DATA) == OBF
    assert it.irq1.level
    assert it.controller.read(DATA, 1) == 0x1C
    it.command(0xD3, 0x42)
    assert it.status & (OBF | MOUSE_DATA) == OBF | MOUSE_DATA
    assert it.controller.read(DATA, 1) == 0x42


def test_mouse_through_d4(it: Bench) -> None:
    it.command(0x60, 0x43)
    it.command(0xA8)
    it.command(0xD4, 0xFF)
    assert it.drain() == b"\xfa\xaa\x00"
    it.command(0xD4, 0xF4)
    assert it.drain() == b"\xfa"
    edges = Recorder(it.events, it.irq12)
    it.mouse.move(5, -3, left=True)
    it.events.advance(BYTE_NS)
    assert it.status & MOUSE_DATA
    assert it.drain() == bytes((0x29, 5, 0xFD))
    assert len(edges.rises) == 3


def test_mouse_is_off_at_first(it: Bench) -> None:
    it.command(0x20)
    assert it.read() & 0x20


def test_keyboard_and_mouse_take_turns(it: Bench) -> None:
    it.command(0x60, 0x40)
    it.command(0xD4, 0xF4)
    it.drain()
    it.mouse.move(1, 1)
    it.keyboard.key("a", down=True)
    it.keyboard.key("a", down=False)
    assert set(it.drain()) >= {0x1E, 0x9E, 0x08, 1}


def test_port_92() -> None:
    a20 = IrqLine()
    stops: list[tuple[str, int]] = []
    port = Port92(a20, lambda reason, code: stops.append((reason, code)))
    port.write(0, 1, 0x02)
    assert a20.level
    assert port.read(0, 1) == 0x02
    port.write(0, 1, 0x00)
    assert not a20.level
    port.write(0, 1, 0x01)
    port.write(0, 1, 0x01)
    assert stops == [(StopReason.RESET, 0)], "only the rising edge resets"


class Ps2Script:
    """Talk to controller, keyboard and mouse, waiting for every answer."""

    def __init__(self, seed: int) -> None:
        self.script = Script()
        self.choose = random.Random(seed)

    def command(self, command: int, *data: int, answers: int = 0) -> None:
        self.script.out(0x64, command)
        for value in data:
            self.script.out(0x60, value)
        self.get(answers)

    def keyboard(self, *data: int, answers: int = 1) -> None:
        for value in data:
            self.script.out(0x60, value)
            self.get(answers if value == data[-1] else 1)

    def mouse(self, *data: int, answers: int = 1) -> None:
        for value in data:
            self.command(0xD4, value, answers=answers if value == data[-1] else 1)

    def get(self, count: int) -> None:
        for _ in range(count):
            self.script.wait(0x64, OBF, OBF)
            self.script.inp(0x60)

    def talk(self, *actions: Callable[[], None]) -> None:
        for _ in range(60):
            self.choose.choice(actions)()
            self.script.wait(0x64, OBF, 0)


@needs_qemu
@pytest.mark.parametrize("seed", range(3))
def test_controller_and_keyboard_agree_with_qemu(seed: int) -> None:
    it = Ps2Script(seed)
    pick = it.choose.choice
    it.command(0xAA, answers=1)
    it.command(0x60, 0x41)
    it.talk(
        lambda: it.command(0x20, answers=1),
        lambda: it.command(0x60, pick((0x41, 0x45, 0x05, 0x01, 0x44))),
        lambda: it.command(pick((0xAB, 0xA9, 0xD0)), answers=1),
        lambda: it.command(0xD2, it.choose.randrange(256), answers=1),
        lambda: it.keyboard(pick((0xEE, 0xF4, 0xF5, 0xF6))),
        lambda: it.keyboard(0xF2, answers=3),
        lambda: it.keyboard(0xFF, answers=2),
        lambda: it.keyboard(0xED, it.choose.randrange(8)),
        lambda: it.keyboard(0xF3, it.choose.randrange(128)),
        lambda: it.keyboard(0xF0, pick((1, 2))),
        lambda: it.keyboard(0xF0, 0, answers=2),
    )
    machine = FakeMachine()
    Board(machine)
    assert it.script.on(machine).hex(" ") == it.script.on_qemu().hex(" ")


@needs_qemu
@pytest.mark.parametrize("seed", range(3))
def test_mouse_agrees_with_qemu(seed: int) -> None:
    it = Ps2Script(seed)
    pick = it.choose.choice
    it.command(0x60, 0x43)
    it.command(0xA8)
    it.mouse(0xFF, answers=3)
    it.talk(
        lambda: it.mouse(0xFF, answers=3),
        lambda: it.mouse(0xF2, answers=2),
        lambda: it.mouse(pick((0xE9, 0xEB)), answers=4),
        lambda: it.mouse(0xE8, it.choose.randrange(4)),
        lambda: it.mouse(0xF3, pick((10, 20, 40, 60, 100))),
        lambda: it.mouse(pick((0xE6, 0xE7, 0xEA, 0xF0, 0xF4, 0xF5, 0xF6))),
    )
    machine = FakeMachine()
    Board(machine)
    assert it.script.on(machine).hex(" ") == it.script.on_qemu().hex(" ")
