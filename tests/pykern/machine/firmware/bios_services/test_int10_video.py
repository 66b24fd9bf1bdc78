"""INT 10h beside the VGA BIOS of QEMU, and the picture."""

from __future__ import annotations

from tests.pykern.machine.firmware.bios_services.conftest import BUFFER, Bios

SCREEN = """
    push %ds
    mov $0xB800, %ax
    mov %ax, %ds
    xor %si, %si
    mov $4000, %cx
9:  lodsb
    out %al, $0xE9
    loop 9b
    pop %ds
"""


def test_beside_qemu(agree):
    agree(
        Bios(0x10, 0x0003),
        Bios(0x10, 0x0F00),
        Bios(0x10, 0x0300),
        Bios(0x10, 0x0200, edx=0x0102),
        Bios(0x10, 0x0300),
        Bios(0x10, 0x0E41, ebx=7),
        Bios(0x10, 0x0300),
        Bios(0x10, 0x0200, edx=0x0102),
        Bios(0x10, 0x0800),
        Bios(0x10, 0x0942, ebx=0x1F, ecx=3),
        Bios(0x10, 0x0800),
        Bios(0x10, 0x0A43, ecx=1),
        Bios(0x10, 0x0800),
        Bios(0x10, 0x0100, ecx=0x0B0C),
        Bios(0x10, 0x0300),
        Bios(0x10, 0x1A00),
        Bios(0x10, 0x1200, ebx=0x10),
        Bios(0x10, 0x1130, ebx=0x600, ignore="ebp es"),
        Bios(0x10, 0x0501),
        Bios(0x10, 0x0F00),
        Bios(0x10, 0x0500),
        Bios(0x10, 0x1301, ebx=0x1E, ecx=4, edx=0x0A4E, ebp=BUFFER, at=b"wxyz"),
        Bios(0x10, 0x0300),
        Bios(0x10, 0x1302, ebx=0x1E, ecx=2, edx=0x1808, ebp=BUFFER, at=b"w\x17x\x18"),
        Bios(0x10, 0x0300),
        Bios(0x10, 0x0013),
        Bios(0x10, 0x0F00),
        Bios(0x10, 0x0001),
        Bios(0x10, 0x0F00),
        Bios(0x10, 0x0003),
        Bios(0x10, 0x0F00),
    )


def test_text_memory_beside_qemu(agree):
    """Teletype, scrolling, windows: the 4000 bytes of the screen are the same."""
    calls = [Bios(0x10, 0x0003)]
    calls += [Bios(0x10, 0x0E00 | byte, ebx=7) for byte in b"one\r\ntwo\b\bxx\a"]
    calls += [Bios(0x10, 0x0200, edx=0x184C)]
    calls += [Bios(0x10, 0x0E00 | byte, ebx=7) for byte in b"scrolls"]
    calls += [
        Bios(0x10, 0x0601, ebx=0x1700, ecx=0x0203, edx=0x0A14),
        Bios(0x10, 0x0702, ebx=0x2700, ecx=0x0C03, edx=0x1020),
        Bios(0x10, 0x0600, ebx=0x4700, ecx=0x1440, edx=0x167F),
        Bios(0x10, 0x0200, edx=0x0320),
        Bios(0x10, 0x0958, ebx=0x2E, ecx=100),
    ]
    copy = """
    mov $0xB800, %ax
    mov %ax, %ds
    xor %si, %si
    mov $0x5000, %di
    mov $1000, %cx
    rep movsl
    """
    calls.append(Bios(0x12, before=copy, dump=4000))
    agree(*calls)


def test_the_teletype_is_heard_on_the_serial_line(host):
    host.run(*[Bios(0x10, 0x0E00 | byte, ebx=7) for byte in b"hi\r\n"])
    assert host.serial == b"hi\r\n"


def test_the_picture(host):
    host.run(Bios(0x10, 0x0003), Bios(0x10, 0x0941, ebx=0x4F, ecx=1))
    picture = host.computer.display.render().convert("RGB")
    assert {picture.getpixel((x, y)) for x in range(8) for y in range(16)} == {
        (0xAA, 0, 0),
        (0xFF, 0xFF, 0xFF),
    }


def test_mode_13h(host):
    host.run(Bios(0x10, 0x0013), Bios(0x12, before="mov $0xA000, %ax\nmov %ax, %fs\n"
             "movb $4, %fs:(321)\n"))  # fmt: skip
    picture = host.computer.display.render().convert("RGB")
    size = (picture.width // 320, picture.height // 200)
    assert picture.getpixel((size[0], size[1])) == (0xAA, 0, 0)
    assert picture.getpixel((0, 0)) == (0, 0, 0)


def test_the_font_is_in_the_rom(host):
    (result,) = host.run(Bios(0x10, 0x1130, ebx=0x600))
    letter = host.computer.machine.read(result.es * 16 + (result.ebp & 0xFFFF) + 16 * ord("A"), 16)
    assert letter.count(0) < 10
    assert result.ecx == 16
