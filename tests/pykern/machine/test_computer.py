"""The joined computer: tables that say what the board has, and a start that can be repeated."""

from __future__ import annotations

import itertools

import pytest

from pykern.machine import boot
from pykern.machine.board import BoardOptions, FramebufferOptions
from pykern.machine.computer import Computer, Image, MachineConfig, numa_nodes, platform
from pykern.machine.firmware.acpi import AcpiPlatform
from pykern_c import Machine
from tests.guest import assemble


def computer(**options):
    return Computer(MachineConfig(memory=32 << 20, **options), Machine)


def image(protocol, data):
    return Image(data, boot.PROTOCOLS[protocol], boot.BootOptions())


def test_the_tables_repeat_the_wiring_of_the_board():
    assert platform(4) == AcpiPlatform(cpus=4)


def test_the_hpet_is_the_one_of_the_tables():
    board = computer().board
    assert board.hpet.read(0, 4) == platform(1).hpet_block_id


def test_start_leaves_tables_and_the_kernel():
    made = computer(cpus=2)
    made.start(image("bootsector", bytes(510) + b"\x55\xaa"))
    assert made.machine.read(0xE0000, 8) == b"RSD PTR "
    assert made.machine.read(0x7DFE, 2) == b"\x55\xaa"
    assert made.machine.vcpus[0].read_register("rip") == 0x7C00


def test_firmware_makes_its_own_tables_and_can_be_started_again():
    made = computer()
    rom = bytes(65536 - 16) + b"\xea".ljust(16, b"\0")
    for _ in range(20):
        made.start(image("firmware", rom))
    assert made.machine.read(0xE0000, 8) == bytes(8)
    assert made.machine.read(0xFFFF0, 1) == made.machine.read(0xFFFFFFF0, 1) == b"\xea"
    assert made.machine.vcpus[0].read_register("cs.base") == 0xFFFF0000


def test_the_display_is_the_text_screen():
    assert computer().display.render().size[1] == 400


def test_nodes_share_processors_and_ram():
    low, high = (0, 3 << 30), (4 << 30, 5 << 30)
    nodes = numa_nodes((low, high), 5, 2)
    assert [node.cpus for node in nodes] == [(0, 1), (2, 3, 4)]
    assert nodes[0].memory == (low, (4 << 30, 1 << 30))
    assert nodes[1].memory == ((5 << 30, 4 << 30),)
    (everything,) = numa_nodes((low, high), 1, 1)
    assert everything.memory == (low, high)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_no_memory_is_left_out_of_the_nodes(count):
    ram = ((0, 10 << 20), (4 << 30, 4096 * 5))
    nodes = numa_nodes(ram, 8, count)
    spans = sorted(span for node in nodes for span in node.memory)
    assert sum(size for _, size in spans) == sum(size for _, size in ram)
    assert all(a + size <= b for (a, size), (b, _) in itertools.pairwise(spans))
    assert sorted(cpu for node in nodes for cpu in node.cpus) == list(range(8))


def test_more_nodes_than_processors():
    with pytest.raises(ValueError, match="3 NUMA nodes, expected 1 to 2"):
        numa_nodes(((0, 1 << 30),), 2, 3)


def test_a_framebuffer_is_no_system_memory():
    board = BoardOptions(framebuffer=FramebufferOptions(64, 48, pitch=256))
    made = computer(board=board)
    made.machine.write(0xFD000000, bytes((0x33, 0x22, 0x11, 0)))
    assert made.display.render().getpixel((0, 0)) == (0x11, 0x22, 0x33)
    assert made.board.system_ram == [(0, 32 << 20)]
    selected = made.board.fw_cfg
    selected.write(0, 2, 3)  # FW_CFG_RAM_SIZE
    assert bytes(selected.read(1, 1) for _ in range(8)) == (32 << 20).to_bytes(8, "little")


# -- guests that rely on the wiring ---------------------------------------------------------------


def run_sector(source, **options):
    """Run a boot sector to its write to port F4h; return the computer."""
    made = computer(**options)
    code = assemble(source, bits=16, origin=0x7C00)
    assert len(code) <= 510
    made.start(image("bootsector", code.ljust(510, b"\0") + b"\x55\xaa"))
    assert made.machine.run(until_ns=1_000_000_000).what == "debug-exit"
    return made


X87_ERROR = """
    xor ax, ax
    mov ds, ax
    mov word ptr [0x75 * 4], offset error
    mov word ptr [0x75 * 4 + 2], ax
    mov word ptr [0x600], ax
    mov al, 0xcf            # the slave lets IRQ 12 and 13 through
    out 0xa1, al
    sti
    fninit
    mov word ptr [0x610], 0x37b     # division by zero is not masked
    fldcw [0x610]
    fld1
    fldz
    fdivp st(1), st
    fwait                   # reports it
    out 0xf4, al
error:
    push ax
    inc word ptr [0x600]
    out 0xf0, al
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    fnstsw [0x602]
    fnclex
    pop ax
    iret
"""


def test_an_x87_error_is_irq_13_once():
    machine = run_sector(X87_ERROR).machine
    assert machine.read(0x600, 2) == b"\1\0"
    assert machine.read(0x602, 1)[0] & 0x84 == 0x84  # ES and ZE: seen before FNCLEX


A20 = """
    xor ax, ax
    mov ds, ax
    dec ax
    mov es, ax
    mov word ptr [0x600], 0x1111
    mov word ptr es:[0x610], 0x2222         # 1 MiB + 600h
    mov bx, [0x600]
    in al, 0x92
    and al, 0xfd
    out 0x92, al
    mov al, 0xdd                            # either gate would let it pass
    out 0x64, al
    mov cx, es:[0x610]                      # now the same as 600h
    mov word ptr es:[0x610], 0x3333
    mov dx, [0x600]
    mov al, 2
    out 0x92, al
    mov si, es:[0x610]
    out 0xf4, al
"""


def test_a20_gates_wrap_addresses_at_1_mib():
    vcpu = run_sector(A20).machine.vcpus[0]
    names = ("rbx", "rcx", "rdx", "rsi")
    seen = [vcpu.read_register(name) & 0xFFFF for name in names]
    assert seen == [0x1111, 0x1111, 0x3333, 0x2222]


def test_the_timer_ticks_as_a_bios_left_it():
    source = ".rept 3\nsti\nhlt\n.endr\nout 0xf4, al"
    machine = run_sector(source).machine
    assert 2 * 54_925_000 < machine.now < 3 * 54_926_000
