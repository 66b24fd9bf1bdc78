"""The wiring: addresses, interrupt lines, firmware's view of the machine."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pykern.machine.board import Board, BoardOptions, FramebufferOptions
from tests.contracts.device import assert_plain, through_json
from tests.pykern.machine.fake_machine import FakeMachine

KIB, MIB = 1 << 10, 1 << 20
SEABIOS = Path("/usr/share/seabios/bios-256k.bin")


@pytest.fixture
def board(machine: FakeMachine) -> Board:
    return Board(machine)


def set_up_pics(machine: FakeMachine) -> None:
    for port, values in (
        (0x20, (0x11,)),
        (0x21, (0x20, 4, 1)),
        (0xA0, (0x11,)),
        (0xA1, (0x28, 2, 1)),
    ):
        for value in values:
            machine.port_out(port, value)


def cmos(machine: FakeMachine, index: int, size: int = 1) -> int:
    value = 0
    for i in range(size):
        machine.port_out(0x70, index + i)
        value |= machine.port_in(0x71) << 8 * i
    return value


def test_the_pit_interrupts_on_irq_0_and_gsi_2(machine: FakeMachine, board: Board) -> None:
    set_up_pics(machine)
    machine.port_out(0x43, 0x34)
    machine.port_out(0x40, 100)
    machine.port_out(0x40, 0)
    assert machine.acknowledge is not None
    while machine.apics.lint(0).level:  # OUT rises with the control word
        machine.acknowledge()
        machine.port_out(0x20, 0x20)
    machine.events.advance(100_000)
    assert machine.apics.lint(0).level
    assert machine.apics.ioapic.line(2).level
    assert not machine.apics.ioapic.line(0).level
    assert machine.acknowledge() == 0x20


@pytest.mark.parametrize(("irq", "port"), [(4, 0x3F8), (3, 0x2F8)])
def test_serial_ports(machine: FakeMachine, irq: int, port: int) -> None:
    sent = bytearray()
    Board(machine, BoardOptions(com1=sent.extend, com2=sent.extend))
    machine.port_out(port, ord("x"))
    assert sent == b"x"
    machine.port_out(port + 4, 0x08)
    machine.port_out(port + 1, 0x02)
    assert machine.apics.ioapic.line(irq).level


def test_keyboard_on_irq_1(machine: FakeMachine, board: Board) -> None:
    board.keyboard.type_text("a")
    machine.events.advance(100_000)
    assert machine.apics.ioapic.line(1).level
    assert machine.port_in(0x64) & 1
    assert machine.port_in(0x60) == 0x1E


def test_rtc_on_irq_8(machine: FakeMachine, board: Board) -> None:
    machine.port_out(0x70, 0x0B)
    machine.port_out(0x71, 0x12)
    machine.events.advance(1_000_000_000)
    assert machine.apics.ioapic.line(8).level
    assert machine.port_in(0xA0) & 1


def test_legacy_replacement_takes_irq_0_from_the_pit(machine: FakeMachine, board: Board) -> None:
    machine.port_out(0x43, 0x34)
    assert machine.apics.ioapic.line(2).level, "OUT 0 is high after the control word"
    hpet, base = machine.mmio_at(0xFED0_0000)
    hpet.write(base + 0x10, 8, 2)
    assert not machine.apics.ioapic.line(2).level
    hpet.write(base + 0x10, 8, 0)
    assert machine.apics.ioapic.line(2).level


def test_power_button_on_sci(machine: FakeMachine, board: Board) -> None:
    machine.port_out(0xB2, 0xF1)
    machine.port_out(0x602, 0x100, 2)
    board.pm.press_power_button()
    assert machine.apics.ioapic.line(9).level


@pytest.mark.parametrize(
    ("port", "value", "size", "stop"),
    [
        (0x604, 0x2000, 2, ("power-off", 0)),
        (0xCF9, 0x06, 1, ("reset", 0)),
        (0x64, 0xFE, 1, ("reset", 0)),
        (0x92, 0x01, 1, ("reset", 0)),
        (0xF4, 0x10, 1, ("debug-exit", 0x21)),
        (0x501, 0x00, 4, ("debug-exit", 0x01)),
    ],
)
def test_ways_to_stop(
    machine: FakeMachine, board: Board, port: int, value: int, size: int, stop: tuple[str, int]
) -> None:
    machine.port_out(port, value, size)
    assert machine.stops == [stop]


@pytest.mark.parametrize("port", [0xE9, 0x402])
def test_debug_console(machine: FakeMachine, port: int) -> None:
    out = bytearray()
    Board(machine, BoardOptions(debugcon=out.extend))
    machine.port_out(port, ord("!"))
    assert out == b"!"
    assert machine.port_in(port) == 0xE9


def test_pci_at_its_ports_and_in_ecam(machine: FakeMachine, board: Board) -> None:
    machine.port_out(0xCF8, 0x8000_0000, 4)
    assert machine.port_in(0xCFC, 4) == 0x12378086
    ecam, base = machine.mmio_at(0xE000_0000)
    assert ecam.read(base, 4) == 0x12378086


def test_a20_is_on_and_either_gate_keeps_it(machine: FakeMachine, board: Board) -> None:
    assert board.a20.level
    machine.port_out(0x92, 2)
    machine.port_out(0x64, 0xDD)
    assert board.a20.level
    assert machine.a20
    machine.port_out(0x92, 0)
    assert not board.a20.level
    assert not machine.a20


def test_ferr_on_irq_13_until_port_f0(machine: FakeMachine, board: Board) -> None:
    assert machine.ferr is not None
    machine.ferr()
    assert machine.apics.ioapic.line(13).level
    machine.port_out(0xF0, 0)
    assert not machine.apics.ioapic.line(13).level


@pytest.mark.parametrize(
    ("memory", "base", "extended", "above_16m"),
    [
        (64 * MIB, 640, 63 * KIB, 48 * 16),
        (2 * MIB, 640, KIB, 0),
        (512 * KIB, 512, 0, 0),
    ],
)
def test_memory_sizes_in_cmos(memory: int, base: int, extended: int, above_16m: int) -> None:
    machine = FakeMachine(memory)
    Board(machine)
    assert cmos(machine, 0x15, 2) == base
    assert cmos(machine, 0x17, 2) == cmos(machine, 0x30, 2) == extended
    assert cmos(machine, 0x34, 2) == above_16m


def test_cpus_in_cmos_and_fw_cfg() -> None:
    machine = FakeMachine(cpus=4)
    Board(machine)
    assert cmos(machine, 0x5F) == 3
    machine.port_out(0x510, 5, 2)
    assert machine.port_in(0x511) == 4


def test_text_screen_lies_in_ram(machine: FakeMachine, board: Board) -> None:
    machine.ram[0xB8000:0xB8006] = b"O\x07K\x07!\x07"
    assert board.vga.text()[0].rstrip() == "OK!"
    assert "vga_memory" not in board.devices


def test_text_screen_of_a_machine_without_ram_there() -> None:
    machine = FakeMachine(512 * KIB)
    board = Board(machine)
    memory, offset = machine.mmio_at(0xB8000)
    memory.write(offset, 2, 0x0741)
    assert board.vga.text()[0].rstrip() == "A"


def test_framebuffer_with_its_own_memory(machine: FakeMachine) -> None:
    board = Board(machine, BoardOptions(framebuffer=FramebufferOptions(64, 32, 256)))
    memory, offset = machine.mmio_at(0xFD00_0000 + 256)
    memory.write(offset, 4, 0x00FF00)
    assert board.framebuffer is not None
    assert board.framebuffer.render().getpixel((0, 1)) == (0, 255, 0)


def test_framebuffer_in_ram(machine: FakeMachine) -> None:
    options = FramebufferOptions(64, 32, 256, paddr=16 * MIB)
    board = Board(machine, BoardOptions(framebuffer=options))
    machine.ram[16 * MIB] = 0x80
    assert board.framebuffer is not None
    assert board.framebuffer.render().getpixel((0, 0)) == (0, 0, 0x80)


def test_initialised_as_by_firmware(machine: FakeMachine, board: Board) -> None:
    board.initialize()
    machine.events.advance(60_000_000)
    assert machine.apics.lint(0).level
    assert machine.acknowledge is not None
    assert machine.acknowledge() == 0x08
    machine.port_out(0x20, 0x20)
    board.keyboard.type_text("a")
    machine.events.advance(100_000)
    assert machine.acknowledge() == 0x09


@pytest.mark.parametrize("seed", range(3))
def test_no_guest_can_upset_the_board(seed: int) -> None:
    choose = random.Random(seed)
    machine = FakeMachine(memory=2 * MIB, cpus=2)
    board = Board(machine)
    ports = sorted(machine.ports)
    registers = [(device, size) for _, size, device in machine.mmio]
    for _ in range(8000):
        size = choose.choice((1, 1, 2, 4))
        value = choose.getrandbits(8 * size)
        if choose.random() < 0.8:
            port = choose.choice(ports)
            machine.port_out(port, value, size)
            assert 0 <= machine.port_in(port, size) < 1 << 8 * size, hex(port)
        else:
            device, span = choose.choice(registers)
            offset = choose.randrange(min(span, 0x400))
            device.write(offset, size, value)
            assert 0 <= device.read(offset, size) < 1 << 8 * size
        if machine.apics.lint(0).level:
            assert machine.acknowledge is not None
            assert 0 <= machine.acknowledge() < 256
        machine.events.advance(choose.randrange(100_000))
    assert_plain(board.save())
    board.vga.text()
    board.vga.render()


def test_save_and_load(machine: FakeMachine, board: Board) -> None:
    set_up_pics(machine)
    board.keyboard.type_text("hi")
    machine.port_out(0x43, 0x36)
    machine.port_out(0x40, 0)
    machine.port_out(0x40, 0)
    machine.events.advance(40_000_000)
    state = board.save()
    assert_plain(state)
    other_machine = FakeMachine()
    other = Board(other_machine)
    other_machine.events.advance(machine.events.now)
    other_machine.events.next_sequence = machine.events.next_sequence
    other.load(through_json(state))
    assert other.save() == state
    for it in (machine, other_machine):
        it.events.advance(200_000_000)
    assert other.save() == board.save()
    assert machine.apics.lint(0).level == other_machine.apics.lint(0).level


def test_reset_leaves_the_board_as_new(machine: FakeMachine, board: Board) -> None:
    fresh = board.save()
    set_up_pics(machine)
    machine.port_out(0x3FF, 0x55)
    machine.port_out(0x3FC, 0x0B)
    machine.port_out(0x60, 0xED)
    board.reset()
    after = board.save()
    for kept_through_reset in ("com1", "rtc"):  # SCR; time and memory
        fresh.pop(kept_through_reset)
        after.pop(kept_through_reset)
    assert after == fresh


@pytest.mark.skipif(not SEABIOS.exists(), reason=f"needs {SEABIOS} (Debian package seabios)")
def test_seabios_finds_its_way_about_the_board(machine: FakeMachine) -> None:
    """Firmware made for QEMU: fw_cfg, CMOS, PCI, RTC and PIT answer as it expects."""
    pytest.importorskip("unicorn", reason="needs Unicorn as the CPU")
    from tests.pykern.machine.unicorn_cpu import UnicornCpu

    log = bytearray()
    Board(machine, BoardOptions(debugcon=log.extend))
    image = SEABIOS.read_bytes()
    machine.map_rom((4 << 30) - len(image), image)
    machine.view(MIB - 128 * KIB, 128 * KIB)[:] = image[-128 * KIB :]
    UnicornCpu(machine).run(until=lambda: b"Scan for VGA" in log, instructions=50_000_000)
    lines = log.decode().splitlines()
    assert lines[0].startswith("SeaBIOS (version ")
    assert "Found QEMU fw_cfg" in lines
    assert "qemu/e820: addr 0x0000000000000000 len 0x0000000004000000 [RAM]" in lines
    assert "PCI: init bdf=00:00.0 id=8086:1237" in lines
    assert "Found 1 cpu(s) max supported 1 cpu(s)" in lines
    assert machine.stops == []
