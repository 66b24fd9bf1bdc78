"""INT 1Ah beside SeaBIOS's, and the tick counter."""

from __future__ import annotations

from tests.pykern.machine.firmware.bios_services.conftest import SECOND, Bios


def test_beside_seabios(agree):
    agree(
        Bios(0x1A, 0x0000, ignore="ecx edx"),  # the time of day
        Bios(0x1A, 0x0200, ignore="eax ecx edx"),
        Bios(0x1A, 0x0400, ignore="eax ecx edx"),
        Bios(0x1A, 0x0100, ecx=0x12, edx=0x3456),
        Bios(0x1A, 0x0000),
        Bios(0x1A, 0x0300, ecx=0x2359, edx=0x5900, ignore="eax"),  # AL is a CMOS register there
        Bios(0x1A, 0x0200),
        Bios(0x1A, 0x0500, ecx=0x2024, edx=0x0229, ignore="eax"),
        Bios(0x1A, 0x0400),
        Bios(0x1A, 0x9900, ignore="eax"),  # AH = 86h here
    )


def test_the_clock_of_the_board(host):
    time, date = host.run(Bios(0x1A, 0x0200), Bios(0x1A, 0x0400))
    assert (time.ecx, time.edx) == (0, 0)
    assert (date.ecx, date.edx) == (0x2026, 0x0101)


def test_ticks_pass_and_midnight_is_reported_once(host):
    results = host.run(
        Bios(0x1A, 0x0100, ecx=0x18, edx=0x00A0),  # 16 ticks before midnight
        Bios(0x15, 0x8600, ecx=2_000_000 >> 16, edx=2_000_000 & 0xFFFF),
        Bios(0x1A, 0x0000),
        Bios(0x1A, 0x0000),
    )
    ticks = results[2].ecx << 16 | results[2].edx
    assert 19 <= ticks <= 21  # 36.4 in 2 s, less those until midnight
    assert (results[2].al, results[3].al) == (1, 0)
    assert host.computer.machine.now < 4 * SECOND
