"""The BIOS boot loader on QEMU: from the boot record to a kernel's entry point (MIC-07)."""

from __future__ import annotations

import struct
from collections import defaultdict

import pytest

from images.boot import loader
from pykern.machine import boot as boot_protocols
from pykern.machine.computer import Computer, Image, MachineConfig
from pykern_c import Machine

CONFIG = """
timeout: 0
default_entry: 2
/+Folder
//chosen
    protocol: limine
    path: boot():/boot/kernel.elf
    cmdline: one two=3
    module_path: boot():/boot/A long module name
    module_string: first
    module_path: boot():/m.bin
    resolution: 800x600
/other
    protocol: limine
    path: boot():/nope
"""
MODULES = {"/boot/A long module name": bytes(range(256)) * 400, "/m.bin": b"\1\2\3"}
HHDM = 0xFFFF800000000000
USABLE, RESERVED, LOADER, KERNEL, FRAMEBUFFER = 0, 1, 5, 6, 7
NX = 1 << 63


def fnv(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return value


class Report:
    """The lines of report.c: `values` hexadecimal where they are numbers, `ranges` of memory."""

    def __init__(self, text: str) -> None:
        self.lines: dict[str, list[str]] = defaultdict(list)
        for line in text.replace("\r", "").split("\n"):
            name, _, value = line.partition(" ")
            self.lines[name].append(value)
        self.ranges = [tuple(int(n, 16) for n in line.split()) for line in self.lines["range"]]

    def __getitem__(self, name: str) -> int:
        return int(self.lines[name][0], 16)

    def total(self, kind: int) -> int:
        return sum(length for _, length, found in self.ranges if found == kind)


@pytest.fixture
def boot(make_iso, on_qemu):
    def run(kernel: bytes, *options: str, config: str = CONFIG, on=on_qemu) -> Report:
        iso = make_iso(config, {"/boot/kernel.elf": kernel, **MODULES})
        return Report(on(iso, b"\nend", *options))

    return run


def check_state(report: Report, stack: int = 0x10000) -> None:
    """Check what the Limine boot protocol says of the machine at entry."""
    for name in ("rax", "rbx", "rcx", "rdx", "rsi", "rbp", "r8", "r15", "return"):
        assert report[name] == 0, name
    assert report["rflags"] & 0x20700 == 0  # VM, DF, IF, TF
    assert report["cr0"] & 0x80010001 == 0x80010001  # PG, WP, PE
    assert report["cr4"] & 0x20
    assert report["efer"] & 0xD00 == 0xD00  # NXE, LMA, LME
    assert (report["cs"], report["ss"]) == (0x28, 0x30)
    assert report["gdt_limit"] == 7 * 8 - 1
    assert report["gdt_base"] >= HHDM
    assert report["gdt_code"] >> 53 & 1  # a 64-bit code segment
    assert report["pic"] == 0xFFFF
    area = [r for r in report.ranges if r[2] == LOADER]
    assert len(area) == 1
    base, length, _ = area[0]
    for name in ("rsp", "gdt_base"):
        assert base <= report[name] - HHDM < base + length, name
    assert base <= report["cr3"] < base + length
    assert report["rsp"] + 8 - stack >= HHDM + base


def check_rights(report: Report) -> None:
    """Every segment of the kernel has its own rights, and none is writable and executable."""
    assert report["pte_text"] & (NX | 3) == 1
    assert report["pte_rodata"] & (NX | 3) == NX | 1
    assert report["pte_data"] & (NX | 3) == NX | 3
    assert report["pte_text"] & 0xFFFFF000 == 0x100000


def check_memory(report: Report, megabytes: int) -> None:
    ends = 0
    for base, length, kind in report.ranges:
        if kind in {USABLE, LOADER}:
            assert base % 4096 == length % 4096 == 0
            assert base >= max(ends, 4096)
        ends = max(ends, base + length) if kind != FRAMEBUFFER else ends
    assert [r[0] for r in report.ranges] == sorted(r[0] for r in report.ranges)
    ram = report.total(USABLE) + report.total(LOADER) + report.total(KERNEL)
    assert (megabytes << 20) - ram < 1 << 20  # the BIOS keeps a little


def test_a_kernel_without_requests_gets_boot_info(guest, boot):
    """MIC-07: real → protected → long mode, the kernel at 100000h."""
    report = boot(guest("native"), "-rtc", "base=2024-02-29T12:34:56")
    check_state(report)
    check_rights(report)
    check_memory(report, 128)
    assert report.lines["magic"] == ["PYKBOOT"]
    assert (report["version"], report["size"]) == (1, 136)
    assert report["rdi"] >= HHDM
    assert report["hhdm"] == HHDM
    assert (report["kernel_paddr"], report["kernel_laddr"]) == (0x100000, 0xFFFFFFFF80000000)
    assert report.lines["command_line"] == ["one two=3"]
    assert report["rsdp"] == fnv(b"RSD PTR ")
    assert 1709210096 <= report["boot_time"] < 1709210096 + 60
    assert report.lines["module_path"] == list(MODULES)
    assert report.lines["module_string"] == ["first", ""]
    assert [int(h, 16) for h in report.lines["module_hash"]] == list(map(fnv, MODULES.values()))
    assert all(int(a, 16) % 4096 == 0 for a in report.lines["module_address"])
    assert (report["width"], report["height"], report["bpp"]) == (800, 600, 32)
    assert (report["pitch"], report["red"]) == (3200, 0x810)
    pages = (3200 * 600 + 4095) // 4096
    assert (report["framebuffer"] - HHDM, pages * 4096, FRAMEBUFFER) in report.ranges


@pytest.mark.parametrize("revision", [0, 3])
def test_limine_requests_are_answered(guest, boot, revision):
    """The Limine boot protocol, Feature List."""
    kernel = guest("limine", f"-DBASE={revision}")
    report = boot(kernel, "-rtc", "base=2000-01-01T00:00:00")
    check_state(report, stack=0x40000)
    check_rights(report)
    check_memory(report, 128)
    assert report["rdi"] == 0
    assert report["entered_elsewhere"] == 1
    assert (report["base_1"], report["base_2"]) == (revision, 0)
    assert report["outside"] == 0x1234  # a request outside of the markers stays as it is
    assert report.lines["loader"] == ["pykern"]
    assert (report["firmware"], report["paging"], report["hhdm"]) == (0, 0, HHDM)
    assert (report["multiprocessor"], report["stack"]) == (0, 1)
    assert report.lines["command_line"] == ["one two=3"]
    assert (report["kernel_paddr"], report["kernel_laddr"]) == (0x100000, 0xFFFFFFFF80000000)
    assert 946684800 <= report["boot_time"] < 946684800 + 60
    assert (report["rsdp_address"] >= HHDM) == (revision < 3)
    assert report["rsdp"] == fnv(b"RSD PTR ")
    assert report["kernel_hash"] == fnv(kernel)
    assert [int(h, 16) for h in report.lines["module_hash"]] == list(map(fnv, MODULES.values()))
    assert report.lines["file_path"] == ["/boot/kernel.elf", *MODULES]
    assert report.lines["file_string"] == ["one two=3", "first", ""]
    assert report.lines["file_medium"] == ["1"] * 3
    assert (report["width"], report["height"], report["bpp"]) == (800, 600, 32)
    assert (report["memory_model"], report["red"]) == (1, 0x810)
    assert (report["mode_count"], report["mode"]) == (1, 1)


# --- on our own machine --------------------------------------------------------------------------


def test_our_bios_services_boot_the_same_image(guest, boot, on_pykern):
    """MIC-07 on pykern's own machine; what the kernel is told agrees with QEMU's."""
    ours, theirs = boot(guest("native"), on=on_pykern), boot(guest("native"))
    check_state(ours)
    check_rights(ours)
    check_memory(ours, 128)
    assert ours["rsdp"] == fnv(b"RSD PTR ")
    for name in ("magic", "module_path", "module_string", "module_hash", "command_line"):
        assert ours.lines[name] == theirs.lines[name], name
    for name in ("width", "height", "pitch", "bpp", "red", "kernel_paddr", "kernel_size"):
        assert ours[name] == theirs[name], name


def test_our_bios_services_boot_a_limine_kernel(guest, boot, on_pykern):
    report = boot(guest("limine", "-DBASE=3"), on=on_pykern)
    check_state(report, stack=0x40000)
    check_memory(report, 128)
    assert report.lines["file_path"] == ["/boot/kernel.elf", *MODULES]


def test_modes_of_the_processor(guest, make_iso):
    """MIC-07: real mode, protected mode, long mode, in this order."""
    iso = make_iso(CONFIG, {"/boot/kernel.elf": guest("native"), **MODULES})
    computer = Computer(MachineConfig(1, 128 << 20), Machine)
    protocol = boot_protocols.PROTOCOLS["bios"]
    computer.start(Image(iso.read_bytes(), protocol, boot_protocols.BootOptions(iso.name)))
    vcpu, modes, places = computer.machine.vcpus[0], [], set()
    for now in range(500, 40_000_000, 500):
        cr0, efer = vcpu.read_register("cr0"), vcpu.read_register("efer")
        mode = "long" if efer & 0x400 else "protected" if cr0 & 1 else "real"
        if mode not in modes:
            modes.append(mode)
        if mode == "long":
            break
        places.add(vcpu.read_register("cs.base") + vcpu.read_register("rip") >> 12)
        computer.machine.run(now)
    assert modes == ["real", "protected", "long"]
    assert {0x7, 0x8} & places  # the loader at 7C00h


def test_a_newer_revision_is_loaded_as_the_newest_known(guest, boot):
    report = boot(guest("limine", "-DBASE=9", "-DWITHOUT_MARKERS"))
    assert (report["base_1"], report["base_2"]) == (3, 9)
    assert report["rsdp_address"] < HHDM


def test_memory_above_4_gib(guest, boot):
    report = boot(guest("native"), "-m", "5G")
    check_memory(report, 5 << 10)
    assert any(base >= 1 << 32 for base, _, kind in report.ranges if kind == USABLE)


CFG = """
TIMEOUT=0
${WHERE}=boot:///boot
:MelloOS
PROTOCOL=limine
KERNEL_PATH=${WHERE}/kernel.elf
CMDLINE=of limine.cfg, ${ARCH}
MODULE_PATH=boot:///m.bin
MODULE_CMDLINE=x=y
"""


def test_the_older_spelling_and_macros(guest, make_iso, on_qemu):
    """MEL-29: `boot/limine.cfg`."""
    iso = make_iso(CFG, {"/boot/kernel.elf": guest("native"), **MODULES}, "/boot/limine.cfg")
    report = Report(on_qemu(iso, b"\nend"))
    assert report.lines["command_line"] == ["of limine.cfg, x86-64"]
    assert report.lines["module_path"] == ["/m.bin"]
    assert report.lines["module_string"] == ["x=y"]


@pytest.mark.parametrize("options", [["-M", "q35", "-smp", "4"], ["-m", "16"]])
def test_other_machines(guest, boot, options):
    report = boot(guest("native"), *options)
    check_state(report)
    assert report.lines["module_path"] == list(MODULES)


def test_a_processor_without_long_mode(guest, make_iso, on_qemu):
    iso = make_iso(CONFIG, {"/boot/kernel.elf": guest("native"), **MODULES})
    on_qemu(iso, b"pykern: the processor has no long mode", "-cpu", "qemu32")


def test_a_machine_without_screen(guest, boot):
    report = boot(guest("native"), "-vga", "none")
    assert report["framebuffer"] == report["width"] == 0


@pytest.mark.parametrize(
    ("resolution", "expected"),
    [
        ("1024x768", (1024, 768)),
        ("1030x770", (1024, 768)),
        ("", (1024, 768)),
        ("650x490", (640, 480)),
    ],
)
def test_the_nearest_video_mode(guest, boot, resolution, expected):
    line = f"resolution: {resolution}" if resolution else ""
    report = boot(guest("native"), config=CONFIG.replace("resolution: 800x600", line))
    assert (report["width"], report["height"]) == expected


# --- what is wrong is said -----------------------------------------------------------------------

ENTRY = "/e\nprotocol: limine\npath: boot():/boot/kernel.elf\n"


def changed(elf: bytes, offset: int, form: str, value: int) -> bytes:
    image = bytearray(elf)
    struct.pack_into(form, image, offset, value)
    return bytes(image)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("timeout: 0\n", b"limine.conf: default_entry is beyond the last entry"),
        ("default_entry: 0\n" + ENTRY, b"limine.conf: default_entry is no number from 1"),
        ("default_entry: 2\n" + ENTRY, b"limine.conf: default_entry is beyond the last entry"),
        (ENTRY.replace("limine", "linux"), b"pykern: e: expected protocol: limine"),
        (ENTRY.replace("path", "x"), b"pykern: e: expected path: boot():/..."),
        (ENTRY.replace("boot()", "hdd(1:)"), b"e: a path is not on the boot medium, expected boot"),
        (ENTRY.replace("kernel", "k"), b"pykern: /boot/k.elf: no such file on the boot medium"),
        (ENTRY.replace("/boot/kernel.elf", "/boot"), b"pykern: /boot: no such file on the boot"),
        (ENTRY + "module_path: boot():/x\n", b"pykern: /x: no such file on the boot medium"),
        (ENTRY + "module_path: boot():/m.bin\n" * 17, b"pykern: e: more than 16 modules"),
        (ENTRY + "cmdline: ${NOPE}\n", b"a macro is not defined"),
        ("${A}=${A}\n" + ENTRY + "cmdline: ${A}\n", b"macros expand to each other without end"),
        ("${A}=b\n" * 63 + ENTRY, b"limine.conf: more than 64 macros"),
        ("${A}=" + "x" * 4000 + "\n" + ENTRY + "cmdline: ${A}${A}", b"longer than 4095 characters"),
    ],
)
def test_configurations(guest, make_iso, on_qemu, config, message):
    files = {"/boot/kernel.elf": guest("native"), **MODULES}
    on_qemu(make_iso(config, files), message)


@pytest.mark.parametrize(
    ("offset", "form", "value", "message"),
    [
        (0, "B", 0, b"/boot/kernel.elf: no 64-bit little-endian ELF file"),
        (4, "B", 1, b"/boot/kernel.elf: no 64-bit little-endian ELF file"),
        (16, "<H", 3, b"no x86-64 executable with fixed addresses"),
        (18, "<H", 40, b"no x86-64 executable with fixed addresses"),
        (32, "<Q", 1 << 63, b"the program headers reach beyond the end of the file"),
        (56, "<H", 0xFFFF, b"the program headers reach beyond the end of the file"),
        (56, "<H", 0, b"PT_LOAD segments span nothing, or more than 512 MiB"),
        (64 + 8, "<Q", 1 << 40, b"a PT_LOAD segment reaches beyond the end of the file"),
        (64 + 32, "<Q", (1 << 64) - 1, b"a PT_LOAD segment reaches beyond the end of the file"),
        (64 + 16, "<Q", 0x100000, b"a PT_LOAD segment is not above 0xffffffff80000000"),
        (64 + 40, "<Q", 1, b"p_filesz of a PT_LOAD segment exceeds p_memsz"),
        (64 + 40, "<Q", 0x7FFFFFFF, b"PT_LOAD segments span nothing, or more than 512 MiB"),
        (64 + 40, "<Q", 0x10000000, b"the kernel does not fit into memory"),
    ],
)
def test_kernels(guest, make_iso, on_qemu, offset, form, value, message):
    kernel = changed(guest("native"), offset, form, value)
    on_qemu(make_iso(ENTRY, {"/boot/kernel.elf": kernel}), message)


def test_the_same_request_twice(guest, make_iso, on_qemu):
    kernel = guest("limine", "-DBASE=3", "-DTWICE")
    message = b"/boot/kernel.elf: the same Limine request stands in it twice"
    on_qemu(make_iso(ENTRY, {"/boot/kernel.elf": kernel}), message)


def test_a_module_that_does_not_fit(guest, make_iso, on_qemu):
    files = {"/boot/kernel.elf": guest("native"), "/m.bin": bytes(80 << 20)}
    on_qemu(make_iso(ENTRY + "module_path: boot():/m.bin\n", files), b"out of memory", "-m", "64")


# --- building it ---------------------------------------------------------------------------------


def test_the_loader_is_built_to_the_same_bytes(boot_record, tmp_path):
    (tmp_path / "x").mkdir()
    assert loader.build(tmp_path / "x").read_bytes() == boot_record


def test_without_a_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(loader.LoaderBuildError, match="no C compiler: the BIOS boot loader needs"):
        loader.build(tmp_path)
