"""Boot-sector programs of privileged code, and what Bochs 2.7 printed for them.

``tests/asm/privileged/*.S`` log every case to port E9h: its name, then "ok" or the exception with
error code, CS, EIP, EFLAGS and stack. ``tests/golden/privileged/*.txt`` are the logs of the same
images on Bochs (cpu: corei7_icelake_u, ignore_bad_msrs=0). `DIFFERENCES` lists where Bochs and the
manual or a real processor disagree; there the expectation is the latter.
"""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
from pathlib import Path

from pykern_c.exits import ExitReason
from pykern_c.machine import Machine

SOURCES = Path(__file__).parent / "asm" / "privileged"
GOLDEN = Path(__file__).parent / "golden" / "privileged"
LIMIT_NS = 5_000_000
END = b"end\n"
BOOT_SECTOR, PROGRAM = 0x7C00, 0x7E00

DIFFERENCES = {
    # SDM Vol. 3B, Instruction-Breakpoint Exception Condition: every other fault pushes RF = 1,
    # general detect too. Bochs and QEMU never set it for #DB.
    ("protected", "general detect"): "#01 0000 0008 0008 00190000 2000 0010 00180000",
    # SDM Vol. 2A, INT n: a stack that is not canonical is #SS(EXT), without a selector.
    ("long", "int 0x48"): "#0c 0000 0008 00000000 00010000 0010 00000000 0010 0004ffc8 00000000",
    # SDM Vol. 3A, IRET in IA-32e Mode: 64-bit mode pops SS:RSP whatever the operand size is; an
    # AMD Zen does so too.
    ("long", "iretd"): "00060000 ok",
}


class _Log:
    """Port E9h."""

    def __init__(self, machine: Machine) -> None:
        self.text = bytearray()
        self._machine = machine

    def reset(self) -> None:
        self.text.clear()

    def read(self, offset: int, size: int) -> int:
        return (1 << 8 * size) - 1

    def write(self, offset: int, size: int, value: int) -> None:
        self.text.append(value & 0xFF)
        if self.text.endswith(END):
            self._machine.stop("end")

    def save(self) -> dict[str, object]:
        return {"text": bytes(self.text)}

    def load(self, state: dict[str, object]) -> None:
        self.text = bytearray(state["text"])  # type: ignore[arg-type]


def build(program: str) -> bytes:
    """Assemble a program to the image of a boot disk."""
    with tempfile.TemporaryDirectory() as folder:
        code, image = Path(folder) / "a.o", Path(folder) / "a.bin"
        subprocess.run(["as", "--64", "-o", code, f"{program}.S"], check=True, cwd=SOURCES)
        subprocess.run(
            ["ld", "-m", "elf_x86_64", "-e", "_start", f"-Ttext={BOOT_SECTOR:#x}", "--oformat",
             "binary", "-o", image, code],
            check=True,
        )  # fmt: skip
        return image.read_bytes()


def _lines(text: str) -> dict[str, str]:
    """Split a log into name → result."""
    pairs = (line.split(": ", 1) for line in text.splitlines())
    return {name or "real mode": result.rstrip() for name, result in pairs}


@functools.cache
def log(program: str) -> dict[str, str]:
    """Run a program here and return what it printed."""
    machine = Machine(16 << 20)
    device = _Log(machine)
    machine.map_ports(0xE9, 1, device)
    machine.write(BOOT_SECTOR, build(program))
    vcpu = machine.vcpus[0]
    vcpu.write_register("cs", 0)
    vcpu.write_register("cs.base", 0)
    vcpu.write_register("rip", PROGRAM)
    end = machine.run(LIMIT_NS)
    text = device.text.decode("ascii")
    assert end.reason is ExitReason.STOPPED, (end, text[-200:])
    return _lines(text.removesuffix(END.decode()))


def recorded(program: str) -> dict[str, str]:
    """Return what is expected of a program."""
    expected = _lines((GOLDEN / f"{program}.txt").read_text(encoding="ascii"))
    changes = {name: result for (where, name), result in DIFFERENCES.items() if where == program}
    assert not changes.keys() - expected.keys()
    return expected | changes


def cases(program: str, pattern: str) -> list[str]:
    """Return the names of a program's cases that match a regular expression."""
    return [name for name in recorded(program) if re.match(pattern, name)]
