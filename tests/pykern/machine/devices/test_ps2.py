"""Keyboard and mouse commands, typing, typematic repeat."""

from __future__ import annotations

import pytest

from pykern.machine.devices.ps2 import Ps2Device, Ps2Keyboard, Ps2Mouse
from tests.pykern.machine.fake_machine import FakeEvents

MS = 1_000_000


def drain(device: Ps2Device) -> bytes:
    data = bytearray()
    while device.has_data:
        data.append(device.fetch())
    return bytes(data)


def ask(device: Ps2Device, *data: int) -> bytes:
    for byte in data:
        device.command(byte)
    return drain(device)


@pytest.fixture
def events() -> FakeEvents:
    return FakeEvents()


@pytest.fixture
def keyboard(events: FakeEvents) -> Ps2Keyboard:
    return Ps2Keyboard(events)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ((0xFF,), "FA AA"),
        ((0xEE,), "EE"),
        ((0xF2,), "FA AB 83"),
        ((0xED, 0x05), "FA FA"),
        ((0xF3, 0x20), "FA FA"),
        ((0xF0, 0x00), "FA FA 02"),
        ((0xF0, 0x01), "FA FA"),
        ((0xF0, 0x07), "FA FE"),
        ((0xF4,), "FA"),
        ((0xF5,), "FA"),
        ((0xF6,), "FA"),
        ((0x99,), "FE"),
    ],
)
def test_keyboard_commands(keyboard: Ps2Keyboard, command: tuple[int, ...], answer: str) -> None:
    assert ask(keyboard, *command) == bytes.fromhex(answer)


def test_leds(keyboard: Ps2Keyboard) -> None:
    ask(keyboard, 0xED, 0x02)
    assert keyboard.leds == 2
    ask(keyboard, 0xFF)
    assert keyboard.leds == 0


def test_a_command_in_place_of_an_argument_is_a_command(keyboard: Ps2Keyboard) -> None:
    assert ask(keyboard, 0xED) == b"\xfa"
    assert ask(keyboard, 0xF4) == b"\xfa"
    assert ask(keyboard, 0x02) == b"\xfe"


def test_resend(keyboard: Ps2Keyboard) -> None:
    assert ask(keyboard, 0xEE) == b"\xee"
    assert ask(keyboard, 0xFE) == b"\xee"


def test_scan_set_1_comes_from_the_keyboard_itself(keyboard: Ps2Keyboard) -> None:
    ask(keyboard, 0xF0, 0x01)
    keyboard.key("right_ctrl", down=True)
    keyboard.key("right_ctrl", down=False)
    assert drain(keyboard) == bytes.fromhex("E0 1D E0 9D")


def test_a_disabled_keyboard_sends_nothing(keyboard: Ps2Keyboard) -> None:
    ask(keyboard, 0xF5)
    keyboard.key("a", down=True)
    assert drain(keyboard) == b""
    ask(keyboard, 0xF4)
    keyboard.key("a", down=True)
    assert drain(keyboard) == b"\x1c"


def test_a_full_buffer_ends_in_the_overrun_code(keyboard: Ps2Keyboard) -> None:
    for _ in range(20):
        keyboard.key("a", down=True)
    assert drain(keyboard) == b"\x1c" * 15 + b"\x00"


def test_long_text_is_typed_as_it_is_read(keyboard: Ps2Keyboard) -> None:
    text = 'The quick brown fox, 1+1=2; "{~}"\n' * 5
    keyboard.type_text(text)
    data = drain(keyboard)
    assert data.count(0x12) == 2 * sum(c in 'T+"{~}' for c in text), "shift down and up"
    assert data.endswith(bytes.fromhex("5A F0 5A"))


def test_typing_an_upper_case_letter(keyboard: Ps2Keyboard) -> None:
    keyboard.type_text("A")
    assert drain(keyboard) == bytes.fromhex("12 1C F0 1C F0 12")


@pytest.mark.parametrize("text", ["é", "\x01"])
def test_text_that_cannot_be_typed_is_refused(keyboard: Ps2Keyboard, text: str) -> None:
    with pytest.raises(ValueError, match="no key types"):
        keyboard.type_text(text)


def test_unknown_key_is_refused(keyboard: Ps2Keyboard) -> None:
    with pytest.raises(ValueError, match="unknown key 'hyper'"):
        keyboard.key("hyper", down=True)


def test_typematic(events: FakeEvents, keyboard: Ps2Keyboard) -> None:
    keyboard.key("x", down=True)
    assert drain(keyboard) == b"\x22"
    events.advance(499 * MS)
    assert drain(keyboard) == b""
    events.advance(1 * MS)
    assert drain(keyboard) == b"\x22"
    count = 0
    for _ in range(1000):
        events.advance(MS)
        count += len(drain(keyboard))
    assert count == 10, "10.9 a second"
    keyboard.key("x", down=False)
    assert drain(keyboard) == b"\xf0\x22"
    events.advance(2000 * MS)
    assert drain(keyboard) == b""
    assert events.pending == []


@pytest.fixture
def mouse() -> Ps2Mouse:
    return Ps2Mouse()


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ((0xFF,), "FA AA 00"),
        ((0xF2,), "FA 00"),
        ((0xE9,), "FA 00 02 64"),
        ((0xE8, 0x03), "FA FA"),
        ((0xF3, 0x50), "FA FA"),
        ((0xF4,), "FA"),
        ((0xEB,), "FA 08 00 00"),
        ((0x77,), "FE"),
    ],
)
def test_mouse_commands(mouse: Ps2Mouse, command: tuple[int, ...], answer: str) -> None:
    assert ask(mouse, *command) == bytes.fromhex(answer)


def test_mouse_status_shows_settings(mouse: Ps2Mouse) -> None:
    ask(mouse, 0xF4)
    ask(mouse, 0xE7)
    ask(mouse, 0xE8, 0)
    ask(mouse, 0xF3, 40)
    mouse.move(0, 0, right=True)
    drain(mouse)
    assert ask(mouse, 0xE9) == bytes((0xFA, 0x31, 0, 40))


def test_mouse_reports_only_when_told_to(mouse: Ps2Mouse) -> None:
    mouse.move(1, 2)
    assert drain(mouse) == b""
    ask(mouse, 0xF4)
    mouse.move(-2, 300, middle=True)
    assert drain(mouse)[0] & 0xF8 == 0x98, "Y overflow, X negative"


def test_remote_mode_answers_when_asked(mouse: Ps2Mouse) -> None:
    ask(mouse, 0xF4)
    ask(mouse, 0xF0)
    mouse.move(7, 8)
    assert drain(mouse) == b""
    assert ask(mouse, 0xEB) == bytes((0xFA, 0x08, 7, 8))


def test_wrap_mode_echoes(mouse: Ps2Mouse) -> None:
    ask(mouse, 0xEE)
    assert ask(mouse, 0xF4) == b"\xf4"
    assert ask(mouse, 0xEC) == b"\xfa"
    assert ask(mouse, 0xF4) == b"\xfa"
