"""Guests booted from the command line: what they print and what status they end with."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pykern.cli import main
from pykern.exit_status import ExitStatus

pytestmark = pytest.mark.skipif(shutil.which("as") is None, reason="binutils is not installed")

GUESTS = Path(__file__).parent / "guests"
POWER_OFF, EXIT_33 = "POWER_OFF", "EXIT 0x10"
HIGH_HALF = """
ENTRY(_start)
SECTIONS {
    . = 0xFFFFFFFF80100000;
    .text : AT(0x100000) { *(.text) }
    .data : AT(ADDR(.data) - 0xFFFFFFFF80000000) { *(.data) }
}
"""
LOW_WITH_NOTE = """
ENTRY(_start)
SECTIONS { . = 0x100000; .note : { *(.note.pvh) } .text : { *(.text) } }
"""
LINK = {
    "bootsector": ["-m", "elf_i386", "-Ttext=0x7c00", "--oformat=binary"],
    "disk": ["-m", "elf_i386", "-Ttext=0x7c00", "--oformat=binary"],
    "multiboot": ["-m", "elf_i386", "-Ttext=0x100000"],
    "pvh": ["-m", "elf_i386", "--no-warn-rwx-segments", "-T", "note.ld"],
    "elf64": ["--no-warn-rwx-segments", "-T", "high.ld"],
}


@pytest.fixture
def build(tmp_path):
    """Assemble and link a guest; VERB is what it does at its end."""

    def make(name, verb=EXIT_33):
        source = f".macro VERB\n{verb}\n.endm\n{(GUESTS / name).with_suffix('.S').read_text()}"
        (tmp_path / "guest.s").write_text(source)
        (tmp_path / "high.ld").write_text(HIGH_HALF)
        (tmp_path / "note.ld").write_text(LOW_WITH_NOTE)
        bits = "64" if name == "elf64" else "32"
        for command in (
            ["as", f"--{bits}", f"-I{GUESTS}", "-o", "guest.o", "guest.s"],
            ["ld", *LINK[name], "-z", "noexecstack", "-o", name, "guest.o"],
        ):
            subprocess.run(command, cwd=tmp_path, check=True)
        return tmp_path / name

    return make


@pytest.fixture
def boot(capfdbinary, tmp_path):
    """Boot; return the exit status, what came out of COM1, and what went to stderr."""

    def run(*words):
        serial = tmp_path / "serial"
        status = main(["boot", "-m", "32M", "--serial", f"file:{serial}", *map(str, words)])
        return status, serial.read_bytes().decode(), capfdbinary.readouterr().err.decode()

    return run


def test_boot_sector(build, boot):
    assert boot(build("bootsector")) == (33, "sector\r\n", "")


def test_multiboot(build, boot, tmp_path):
    module = tmp_path / "module"
    module.write_text("contents")
    kernel = build("multiboot")
    status, out, _ = boot(kernel, "--append", "a b", "--initrd", f"{module} x=1")
    assert status == 33
    lines = out.splitlines()
    assert lines[:3] == [f"{kernel} a b", f"{module} x=1", "contents"]
    assert lines[3].split() == ["00000000", "0009fc00", "00000001"]
    assert ["00100000", "01f00000", "00000001"] in [line.split() for line in lines]


def test_pvh(build, boot):
    assert boot(build("pvh"), "--append", "hello") == (33, "hello", "")


def test_high_half_elf(build, boot):
    assert boot(build("elf64", POWER_OFF), "--append", "hello") == (0, "hello\n", "")


def test_serial_on_stdout(build, capfdbinary):
    assert main(["boot", str(build("elf64")), "--append", "x"]) == 33
    assert capfdbinary.readouterr().out == b"x\n"


def test_triple_fault(build, boot):
    status, _, err = boot(build("elf64", "ud2"))
    assert status == ExitStatus.TRIPLE_FAULT
    assert err.startswith("pykern: triple fault on CPU 0\n  1. #UD at RIP 0xffffffff8010")
    assert "no entry for vector 6" in err
    assert "(IDT entry 0x8 #DF, external event)" in err
    assert "cr3" in err


def test_deadlock(build, boot):
    status, _, err = boot(build("elf64", "cli\nhlt"))
    assert status == ExitStatus.DEADLOCK
    assert "interrupts off" in err


def test_time_out_is_in_virtual_time(build, boot):
    status, out, err = boot(build("elf64", "0: jmp 0b"), "--timeout", "0.02", "--append", "x")
    assert status == ExitStatus.VIRTUAL_TIMEOUT
    assert out == "x\n"
    assert "0.02 s of virtual time" in err


RESET = "mov $RESET_CONTROL, %dx\nmov $6, %al\nout %al, %dx\nhlt"


def test_reset(build, boot):
    status, out, err = boot(build("elf64", RESET), "--no-reboot")
    assert (status, out) == (ExitStatus.RESET, "\n")
    assert "reset" in err


def test_reset_boots_again(build, boot):
    again = f"incl 0x500\ncmpl $3, 0x500\nje 1f\n{RESET}\n1: POWER_OFF"
    status, out, err = boot(build("elf64", again))
    assert (status, out) == (0, "\n\n\n")
    assert err.count("booting again") == 2


def test_a_disk_is_read_and_its_file_written_if_that_is_wanted(build, boot, tmp_path):
    """MEL-53: sector IO, by a program of 512 bytes."""
    disk, kernel = tmp_path / "a.img", build("disk")
    before = bytes(512) + b"sector 1".ljust(1024, b"-")
    disk.write_bytes(before)
    assert boot(kernel, "--disk", disk) == (33, "sector 1", "")
    assert disk.read_bytes() == before
    assert boot(kernel, "-hda", disk, "--write-back")[0] == 33
    assert disk.read_bytes() == before[:1024] + b"W" * 512


def test_a_file_that_is_no_disk(build, boot, tmp_path):
    disk = tmp_path / "odd"
    disk.write_bytes(b"odd")
    status, _, said = boot(build("disk"), "--disk", disk)
    assert status == ExitStatus.USAGE
    assert f"--disk {disk}: 3 bytes, expected a multiple of 512 for a disk" in said


def test_screenshot(build, boot, tmp_path):
    from PIL import Image

    shot = tmp_path / "screen.png"
    verb = f"movw $0x4F41, 0xB8000\n{EXIT_33}"
    assert boot(build("elf64", verb), "--screenshot", shot)[0] == 33
    with Image.open(shot) as picture:
        assert picture.format == "PNG"
        assert picture.size[1] == 400
        colours = {picture.convert("RGB").getpixel((x, y)) for x in range(8) for y in range(16)}
    assert colours == {(0xAA, 0, 0), (0xFF, 0xFF, 0xFF)}


def test_state_hashes_of_equal_runs_are_equal(build, boot, tmp_path):
    kernel = build("elf64", "0: incq 0x500\njmp 0b")
    files = [tmp_path / name for name in ("a", "b")]
    for file in files:
        boot(kernel, "--timeout", "0.003", "--state-hash-every", f"1000000:{file}")
    first, second = (file.read_text().splitlines() for file in files)
    assert first == second
    assert [line.split()[0] for line in first] == ["1000000", "2000000", "3000000"]
    assert len({line.split()[1] for line in first}) == 3


ECHO = """
0:  mov $COM1_LSR, %dx
    in %dx, %al
    test $1, %al
    jz 0b
    mov $COM1, %dx
    in %dx, %al
    out %al, %dx
    cmp $'q', %al
    jne 0b
    POWER_OFF
"""


def test_standard_input_reaches_com1(build):
    done = subprocess.run(
        [sys.executable, "-m", "pykern", "boot", build("elf64", ECHO), "-m", "32"],
        input=b"typed q",
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\ntyped q", b"")


def test_trace_of_device_accesses(build, boot):
    _, _, err = boot(build("elf64"), "--append", "A", "--trace", "mmio")
    assert err.splitlines()[:2] == ["port 0x3f8 1 <- 0x41", "port 0x3f8 1 <- 0xa"]


def test_trace_of_instructions(build, boot):
    _, _, err = boot(build("elf64", "ud2"), "--trace", "insn")
    first = err.splitlines()[0]
    assert "0010:ffffffff80100000" in first
    assert "cmp" in first


def test_trace_of_interrupts(build, boot):
    _, _, err = boot(build("elf64", "ud2"), "--trace", "int")
    events = [line.split()[3:] for line in err.splitlines() if "vector 0x" in line]
    assert events[0][:5] == ["vector", "0x6", "#UD", "error", "0x0"]
    assert [event[1] for event in events] == ["0x6", "0xd", "0x8"]


# --- programs nobody here wrote -----------------------------------------------------------------

MEMTEST = [Path(f"/boot/memtest86+{name}.bin") for name in ("x64", "ia32")]
SEABIOS = Path("/usr/share/seabios/bios-256k.bin")


def terminal_screen(data):
    """Return what a terminal of 25 lines shows: text, placed by ESC [ row ; column H."""
    cells = [[" "] * 80 for _ in range(25)]
    row = column = 0
    for match in re.finditer(r"\x1b\[([\d;?]*)([a-zA-Z])|([^\x1b])", data):
        numbers, final, character = match.groups()
        if final == "H":
            row, column = (int(number) - 1 for number in numbers.split(";"))
        elif character and column < 80:
            cells[row][column] = character
            column += 1
    return ["".join(line) for line in cells]


def test_terminal_screen():
    screen = terminal_screen("\x1b[2J\x1b[2;3H\x1b[7mab\x1b[0mc\x1b[1;1Hd\x1b[2;4HX")
    assert [line.rstrip() for line in screen[:3]] == ["d", "  aXc", ""]


@pytest.mark.slow
@pytest.mark.skipif(
    not all(path.exists() for path in MEMTEST), reason="memtest86+ is not installed"
)
@pytest.mark.parametrize("image", MEMTEST, ids=lambda path: path.stem)
def test_memtest_finds_no_error_in_tests_0_to_9(boot, image, tmp_path):
    shot = tmp_path / "screen.png"
    status, out, _ = boot(
        image, "--append", "console=ttyS0,115200", "--timeout", "75", "--screenshot", shot
    )
    assert status == ExitStatus.VIRTUAL_TIMEOUT
    screen = terminal_screen(out)
    assert "Memtest86+ v6.10" in screen[0]
    assert "pykern" in screen[0]
    assert "Memory  :   32MB" in screen[5]
    assert "#10 [Bit fade test" in screen[3]  # the tests before it are done; this one only waits
    assert "Errors: 0 " in screen[8]
    with Image.open(shot) as picture:
        blue = picture.convert("RGB").getpixel((320, 300))
    assert blue == (0, 0, 0xAA)


@pytest.mark.skipif(not SEABIOS.exists(), reason="seabios is not installed")
def test_seabios_starts_at_the_reset_vector(boot, tmp_path):
    log = tmp_path / "log"
    status, _, _ = boot("--firmware", SEABIOS, "--debugcon", f"file:{log}", "--timeout", "3")
    assert status == ExitStatus.VIRTUAL_TIMEOUT
    text = log.read_text()
    assert text.startswith("SeaBIOS (version ")
    assert "qemu/e820: addr 0x0000000000000000 len 0x0000000002000000 [RAM]" in text
    assert "All threads complete." in text
    assert "No bootable device." in text


@pytest.mark.slow
@pytest.mark.skipif(not MEMTEST[0].exists(), reason="memtest86+ is not installed")
def test_memtest_finds_processors_by_our_tables_and_starts_them(boot):
    words = ("--append", "console=ttyS0,115200", "--smp", "2", "--timeout", "6")
    screen = terminal_screen(boot(MEMTEST[0], *words)[1])
    assert "CPU: 2 Cores 2 Threads    SMP: 2T (PAR)" in screen[7]
    assert "Errors: 0 " in screen[8]


def test_ctrl_c_ends_a_run(build):
    command = [sys.executable, "-m", "pykern", "boot", build("elf64", "0: jmp 0b"), "-m", "32"]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Whoever runs the tests in the background may have had it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as run:
        assert run.stdout.read(1) == b"\n"
        run.send_signal(signal.SIGINT)
        assert run.stderr.read() == b"pykern: interrupted\n"
    assert run.returncode == ExitStatus.INTERRUPTED
