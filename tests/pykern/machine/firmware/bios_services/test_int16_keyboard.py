"""INT 16h beside SeaBIOS's; keys from the keyboard and over the serial line."""

from __future__ import annotations

import pytest

from pykern.machine import boot
from pykern.machine.boot import BootOptions
from pykern.machine.computer import Computer, Image, MachineConfig
from pykern_c import Machine
from tests.pykern.machine.firmware.bios_services.conftest import SECOND, Bios, assemble

ECHO = """
    .code16
    .globl _start
_start:
    mov $0x10, %ah
    int $0x16
    mov %ax, %bx
    out %al, $0xE9
    mov %bh, %al
    out %al, $0xE9
    jmp _start
    .org 510
    .word 0xAA55
"""


def test_beside_seabios(agree):
    agree(
        Bios(0x16, 0x0100),
        Bios(0x16, 0x1100),
        Bios(0x16, 0x0200),
        Bios(0x16, 0x1200),
        Bios(0x16, 0x0500, ecx=0x1E61),
        Bios(0x16, 0x0100),
        Bios(0x16, 0x0000),
        Bios(0x16, 0x0100),
        Bios(0x16, 0x0500, ecx=0x48E0),
        Bios(0x16, 0x1100),
        Bios(0x16, 0x0100),
        Bios(0x16, 0x0000),
        Bios(0x16, 0x0500, ecx=0x48E0),
        Bios(0x16, 0x1000),
        Bios(0x16, 0x9900),
        *[Bios(0x16, 0x0500, ecx=number) for number in range(1, 18)],  # 15 fit
        *[Bios(0x16, 0x0000) for _ in range(15)],
        Bios(0x16, 0x0100),
    )


@pytest.fixture
def echo(tmp_path):
    """Return a computer that prints characters and scan codes of its keys, and what it printed."""
    out = bytearray()
    from pykern.machine.board import BoardOptions

    board = BoardOptions(debugcon=out.extend)
    computer = Computer(MachineConfig(memory=4 << 20, board=board), Machine)
    image = assemble(ECHO, tmp_path, 512)
    computer.start(Image(image, boot.PROTOCOLS["bios"], BootOptions()))
    computer.machine.run(until_ns=SECOND // 10)

    def typed(action) -> bytes:
        out.clear()
        action(computer.board)
        computer.machine.run(until_ns=computer.machine.now + SECOND)
        return bytes(out)

    return typed


def test_text_from_the_keyboard(echo):
    text = "Hello, World! ~{}|"
    assert echo(lambda board: board.keyboard.type_text(text))[::2].decode() == text


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["a"], "61 1e"),
        (["left_shift", "a"], "41 1e"),
        (["left_ctrl", "c"], "03 2e"),
        (["left_alt", "x"], "00 2d"),
        (["f1"], "00 3b"),
        (["left_shift", "f1"], "00 54"),
        (["left_ctrl", "f1"], "00 5e"),
        (["left_alt", "f1"], "00 68"),
        (["up"], "e0 48"),
        (["enter"], "0d 1c"),
        (["escape"], "1b 01"),
        (["backspace"], "08 0e"),
        (["caps_lock"], ""),
    ],
)
def test_keys(echo, keys, expected):
    def press(board):
        for name in keys:
            board.keyboard.key(name, down=True)
        for name in reversed(keys):
            board.keyboard.key(name, down=False)

    assert echo(press).hex(" ") == expected


def test_text_over_the_serial_line(echo):
    assert echo(lambda board: board.com1.receive(b"dir /w\n"))[::2] == b"dir /w\r"
