"""A C kernel that makes every request of the Limine protocol, booted on the machine.

MEL-01 (boot by the Limine protocol), MEL-03 (memory map, HHDM, framebuffer, SMP).
"""

from __future__ import annotations

import dataclasses
import re
import shutil

import pytest

from pykern.machine import boot
from pykern.machine.board import BoardOptions, FramebufferOptions
from pykern.machine.boot import BootError, BootModule, BootOptions, MediaType
from pykern.machine.computer import Computer, Image, MachineConfig
from pykern_c import Machine
from pykern_c.exits import ExitReason

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")

HHDM = 0xFFFF800000000000
VIRTUAL_BASE = 0xFFFFFFFF80000000
SECOND = 1_000_000_000
USABLE, RESERVED, RECLAIMABLE, KEPT, FRAMEBUFFER = 0, 1, 5, 6, 7
INTERNAL = b"the contents of an internal module"
OPTIONS = BootOptions(
    name="out/kernel.elf",
    command_line="quiet root=/dev/ram0",
    path="/boot/kernel.elf",
    media=MediaType.OPTICAL,
    modules=(BootModule("initrd.img", bytes(range(256)) * 20, "first"), BootModule("/empty", b"")),
    read_file={"/data/internal.bin": INTERNAL}.get,
)


@pytest.fixture(scope="module")
def build(limine_guest):
    return limine_guest


class Run:
    """A kernel that has run, and what it has printed."""

    def __init__(self, image: bytes, *, cpus=1, memory=64 << 20, cpu="max", options=OPTIONS):
        out = bytearray()
        board = BoardOptions(
            debugcon=out.extend, framebuffer=FramebufferOptions(640, 480, pitch=2560)
        )
        config = MachineConfig(cpus=cpus, memory=memory, cpu=cpu, board=board)
        self.computer = Computer(config, Machine)
        protocol = boot.PROTOCOLS["limine"]
        assert protocol.probe(image)
        assert boot.find(image, "kernel.elf") is protocol
        self.computer.start(Image(image, protocol, options))
        self.exit = self.computer.machine.run(until_ns=SECOND)
        self.text = out.decode()
        self.lines = self.text.splitlines()

    def facts(self, name: str) -> list[str]:
        return [line.split(" ", 1)[1] for line in self.lines if line.split(" ", 1)[0] == name]

    def fact(self, name: str) -> int:
        return int(self.facts(name)[0], 16)

    @property
    def memmap(self) -> list[tuple[int, int, int]]:
        return [tuple(int(word, 16) for word in line.split()) for line in self.facts("memmap")]

    def file(self, number: int) -> dict[str, str]:
        """Return what was printed of the file structure: the executable's first."""
        starts = [i for i, line in enumerate(self.lines) if line in {"executable_file", "module"}]
        rest = self.lines[starts[number] + 1 :][:7]
        return dict(re.fullmatch(r" (\w+) (.*)", line).groups() for line in rest)


@pytest.fixture(scope="module")
def newest(build) -> Run:
    return Run(build("BASE_REVISION=3"), cpus=3)


def test_the_kernel_comes_to_its_end(newest):
    assert newest.lines[-1] == "done"
    assert newest.exit.reason is ExitReason.STOPPED


def test_state_at_entry(newest):
    assert newest.lines[:11] == [
        "entered",  # by the entry point request, not by the ELF header
        "registers 0x0",
        "rflags 0x2",
        newest.lines[3],
        "return 0x0",
        "cr0 0x80010011",  # PG WP ET PE
        "cr4 0x20",  # PAE
        "efer 0xd00",  # NXE LMA LME
        "pat 0x7010500070406",  # UC UC- WC WP UC UC- WT WB, PAT0 last
        "segments 0x28 0x30 0x30 0x30 0x30 0x30",
        "gdt 0x0",
    ]
    rsp = newest.fact("rsp")
    assert rsp % 16 == 8
    assert memory_type(newest.memmap, rsp - HHDM) == RECLAIMABLE
    # 20001h bytes of stack were asked for, in whole pages.
    assert memory_type(newest.memmap, rsp - HHDM - 0x20FF8) == RECLAIMABLE


def test_the_gdt_is_the_one_of_the_specification(newest):
    # base 0 everywhere; S, P and DPL 0 set by all; accessed bits as a processor leaves them
    assert [int(word, 16) & ~(1 << 40) for word in newest.facts("gdt")[:7]] == [
        0,
        0x00009A000000FFFF,
        0x000092000000FFFF,
        0x00CF9A000000FFFF,
        0x00CF92000000FFFF,
        0x00AF9A000000FFFF,
        0x00CF92000000FFFF,
    ]


def test_simple_responses(newest):
    assert newest.facts("name") == ["'pykern'"]
    assert newest.facts("cmdline") == ["'quiet root=/dev/ram0'"]
    assert newest.fact("hhdm") == HHDM
    assert newest.fact("firmware_type") == 0
    assert newest.fact("stack_size") == newest.fact("entry_point") == 0
    assert newest.fact("paging_mode") == 0
    assert newest.fact("date") == 1767225600  # 2026-01-01, the board's clock
    assert newest.fact("efi_system_table") == newest.fact("efi_memmap") == newest.fact("dtb") == 0


def test_every_irq_of_the_pic_is_masked(newest):
    assert newest.fact("pic_masks") == 0xFFFF


def test_requests_behind_the_end_marker_are_not_answered(newest):
    assert newest.fact("ignored") == 0x77


def test_framebuffer(newest):
    assert newest.fact("framebuffer.revision") == newest.fact("framebuffer.count") == 1
    assert newest.fact("framebuffer.address") == HHDM + 0xFD000000
    assert newest.fact("framebuffer.width") == 640
    assert newest.fact("framebuffer.height") == 480
    assert newest.fact("framebuffer.pitch") == 2560
    # bpp 32, memory model RGB, masks 8 << 16, 8 << 8, 8 << 0
    masks = bytes([32, 0, 1, 8, 16, 8, 8, 8])
    assert newest.fact("framebuffer.bpp_and_masks") == int.from_bytes(masks, "little")
    assert newest.facts("mode")[0].split() == [
        hex(n) for n in (2560, 640, 480, newest.fact("framebuffer.bpp_and_masks"))
    ]
    assert newest.computer.display.render().getpixel((3, 2)) == (0x12, 0x34, 0x56)
    assert (0xFD000000, 640 * 480 * 4, FRAMEBUFFER) in newest.memmap


def memory_type(memmap, paddr) -> int:
    """Return the type of the first entry that holds an address."""
    return next(kind for base, size, kind in memmap if base <= paddr < base + size)


@pytest.mark.parametrize("memory", [32 << 20, 5 << 30])
def test_memory_map(build, memory):
    run = Run(build("BASE_REVISION=3"), memory=memory)
    memmap = run.memmap
    assert memmap == sorted(memmap)
    assert memory_type(memmap, 0) == RESERVED
    assert memory_type(memmap, 0x8000) == USABLE  # where kernels put their trampolines
    assert memory_type(memmap, 0xE0000) == RESERVED
    exclusive = [entry for entry in memmap if entry[2] in {USABLE, RECLAIMABLE}]
    for base, size, kind in exclusive:
        assert base % 4096 == size % 4096 == 0
        others = [entry for entry in memmap if entry != (base, size, kind)]
        assert all(base + size <= b or b + s <= base for b, s, _ in others)
    rest = 0xA0000 - 0x1000 - 0x1000  # without page 0 and the page of the EBDA
    ram = [size for _, size, kind in memmap if kind in {USABLE, RECLAIMABLE, KEPT}]
    assert sum(ram) == memory - (1 << 20) + rest
    assert memory_type(memmap, run.fact("physical_base")) == KEPT
    if memory > 4 << 30:
        assert (4 << 30, 2 << 30, USABLE) in memmap


def test_files(newest, build):
    image = build("BASE_REVISION=3")
    kernel = newest.file(0)
    assert kernel["path"] == "'/boot/kernel.elf'"
    assert kernel["string"] == "'quiet root=/dev/ram0'"
    assert int(kernel["size"], 16) == len(image)
    assert int(kernel["sum"], 16) == sum(image)
    assert int(kernel["media"], 16) == 1
    assert newest.fact("module.revision") == 1
    internal, initrd, empty = (newest.file(number) for number in (1, 2, 3))
    assert (internal["path"], internal["string"]) == ("'/data/internal.bin'", "'inner args'")
    assert int(internal["sum"], 16) == sum(INTERNAL)
    assert (initrd["path"], initrd["string"]) == ("'/initrd.img'", "'first'")
    assert int(initrd["size"], 16) == 5120
    assert int(initrd["sum"], 16) == sum(range(256)) * 20
    assert (empty["path"], empty["size"]) == ("'/empty'", "0x0")
    for file in (kernel, internal, initrd, empty):
        paddr = int(file["address"], 16) - HHDM
        assert paddr % 4096 == 0
        assert memory_type(newest.memmap, paddr) == KEPT


def test_the_executable_is_where_it_says(newest):
    assert newest.fact("virtual_base") == VIRTUAL_BASE
    assert newest.facts("constant_through_hhdm") == ["'constant'"]
    assert newest.fact("uninitialized") == 0


def translate(run: Run, laddr: int):
    return run.computer.machine.vcpus[0].translate(laddr)


def test_segments_have_the_permissions_of_their_program_headers(newest):
    text, rodata, data = (
        translate(newest, VIRTUAL_BASE),
        translate(newest, newest.fact("constant")),
        translate(newest, VIRTUAL_BASE + 0x2000),
    )
    assert (text.writable, text.executable) == (False, True)
    assert (rodata.writable, rodata.executable) == (False, False)
    assert (data.writable, data.executable) == (True, False)
    assert not text.user


def test_a_write_to_code_is_a_fault(build):
    run = Run(build("BASE_REVISION=3", f"WRITE_TO={VIRTUAL_BASE:#x}ull"))
    assert run.exit.reason is ExitReason.SHUTDOWN
    assert (run.exit.faults[0].vector, run.exit.faults[0].error) == (14, 3)
    assert run.exit.faults[0].address == VIRTUAL_BASE


@pytest.mark.parametrize("revision", [0, 1, 2, 3])
def test_what_is_mapped_depends_on_the_base_revision(build, revision):
    run = Run(build(f"BASE_REVISION={revision}"), memory=(4 << 30) + (3 << 20))
    assert run.lines[-1] == "done"
    assert (run.fact("loaded_revision"), run.fact("asked_revision")) == (revision, 0)
    above = 0x1_0000_0000
    assert translate(run, HHDM + above).paddr == above
    assert translate(run, HHDM + 0x100000).paddr == 0x100000
    assert translate(run, HHDM + 0x100000).page_size in {4096, 2 << 20}
    assert translate(run, HHDM + 0xFD000000).paddr == 0xFD000000
    assert translate(run, HHDM + above + (1 << 30) + (3 << 20)).paddr is None
    everything = revision < 3
    assert (translate(run, HHDM + 0xFEC00000).paddr is not None) == everything
    assert (translate(run, HHDM + 0xE0000).paddr is not None) == everything
    identity = revision == 0
    for paddr in (0x1000, 0x100000, 0xFEE00000, above):
        assert translate(run, paddr).paddr == (paddr if identity else None)
    assert translate(run, 0).paddr is None
    address = 0xE0000 if revision == 3 else HHDM + 0xE0000
    assert run.fact("rsdp") == address


def test_an_unknown_base_revision_is_told_to_the_kernel(build):
    run = Run(build("BASE_REVISION=9"))
    assert (run.fact("loaded_revision"), run.fact("asked_revision")) == (3, 9)


def test_without_a_tag_the_base_revision_is_0(build):
    run = Run(build("NO_TAG"))
    assert run.lines[-1] == "done"
    assert run.fact("rsdp") == HHDM + 0xE0000
    assert translate(run, 0x100000).paddr == 0x100000


@pytest.mark.parametrize("cpu", ["v1", "max"])  # with and without MONITOR
def test_processors_wait_for_their_work(build, cpu):
    run = Run(build("BASE_REVISION=3"), cpus=4, cpu=cpu)
    assert run.fact("mp.cpu_count") == 4
    assert run.fact("mp.bsp_lapic_id") == run.fact("mp.flags") == 0
    assert run.facts("cpu") == [f"{n:#x} {n:#x} extra {0x1000 + n:#x}" for n in (1, 2, 3)]
    assert "goto_address is not NULL" not in run.lines
    states = run.text.split("cpu ")[1:]
    for state in states:
        assert "registers 0x0\n" in state
        assert "cr0 0x80010011\ncr4 0x20\nefer 0xd00\npat 0x7010500070406\n" in state
        assert "segments 0x28 0x30 0x30 0x30 0x30 0x30\n" in state
    stacks = {int(word, 16) for word in run.facts("rsp")}
    assert len(stacks) == 4
    gaps = [b - a for a, b in zip(sorted(stacks), sorted(stacks)[1:], strict=False)]
    assert min(gaps) >= 0x20001


def test_x2apic_where_it_is_asked_for(build):
    run = Run(build("BASE_REVISION=3", "X2APIC=1"), cpus=2)
    assert run.lines[-1] == "done"
    assert run.fact("mp.flags") == 1
    assert run.fact("apic") == 0xFEE00C00


def test_processors_stay_in_reset_without_the_request(build):
    run = Run(build("BASE_REVISION=3", "NO_MP"), cpus=2)
    assert run.lines[-1] == "done"
    assert run.computer.machine.vcpus[1].activity == "wait-for-sipi"


def test_a_required_internal_module_has_to_be_there(build):
    with pytest.raises(BootError, match=r"/data/internal\.bin is required, and there is no such"):
        Run(build("BASE_REVISION=3"), options=BootOptions(name="k", path="/boot/k"))


def test_an_image_that_does_not_fit(build):
    module = BootModule("x", bytes((64 << 20) + 1))
    options = dataclasses.replace(OPTIONS, name="kernel.elf", modules=(module,))
    with pytest.raises(BootError, match=r"kernel\.elf: module x needs 67112960 bytes between"):
        Run(build("BASE_REVISION=3"), options=options)


def test_a_32_bit_elf_file_is_none_of_its_own(build):
    image = bytearray(build("BASE_REVISION=3"))
    image[4] = 1
    assert not boot.PROTOCOLS["limine"].probe(bytes(image))
