"""Host code is what a disassembler says it is, and its memory is never writable and executable."""

from __future__ import annotations

import gc
import os
import random
import re
import resource
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.guest import debug_build, long_mode_machine
from tests.pykern_c.test_train import program

if TYPE_CHECKING:
    from pykern_c.machine import Machine

HEADER = 16  # bytes in front of the code
COLD = 32 << 20  # where code stands that is seldom executed

pytestmark = pytest.mark.skipif(debug_build(), reason="the debug build makes no host code")


@pytest.fixture(scope="module")
def machine() -> Machine:
    machine = long_mode_machine(program(random.Random(1), 400, 2), translate_after=1)
    machine.run()
    return machine


def disassembly(code: bytes, address: int, flat: Path) -> list[tuple[str, ...]]:
    """Return (address, mnemonic, operands) of each instruction, as objdump reads it."""
    flat.write_bytes(code)
    command = ["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel"]
    text = subprocess.run(
        [*command, f"--adjust-vma={address:#x}", str(flat)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "(bad)" not in text
    return re.findall(r"^ *([0-9a-f]+):\t[0-9a-f ]+\t(\w+) *(.*)$", text, re.MULTILINE)


def test_a_disassembler_reads_it_and_jumps_meet_instructions(
    machine: Machine, tmp_path: Path
) -> None:
    often, seldom = machine.host_code()
    instructions = disassembly(often[HEADER:], HEADER, tmp_path / "often.bin")
    instructions += disassembly(seldom, COLD, tmp_path / "seldom.bin")
    starts = {int(at, 16) for at, _, _ in instructions}
    jumps = [
        int(operand.split()[0], 16)
        for _, name, operand in instructions
        if re.fullmatch(r"j\w+|call", name) and operand.startswith("0x")
    ]
    assert len(jumps) > 100
    assert [hex(target) for target in jumps if target not in starts] == []


def test_no_mapping_is_writable_and_executable(machine: Machine) -> None:
    assert machine.host_code()[0]
    lines = [line for line in Path("/proc/self/maps").read_text().splitlines() if "pykern" in line]
    rights = {line.split()[1] for line in lines if "/memfd:pykern-code" in line}
    assert rights == {"rw-s", "r-xs"}


def test_it_goes_with_its_machine() -> None:
    def mappings() -> int:
        return Path("/proc/self/maps").read_text().count("pykern-code")

    gc.collect()
    before = mappings()
    machine = long_mode_machine("nop\nnop\nhlt", translate_after=1)
    machine.run()
    assert mappings() == before + 2
    del machine
    gc.collect()
    assert mappings() == before


def test_guest_bytes_are_not_executed(machine: Machine) -> None:
    """What a train holds of the guest are constants and displacements, no instructions of it."""
    guest = bytes.fromhex("0f31" * 6)
    victim = long_mode_machine(".byte " + ",".join(map(str, guest)) + "\nnop\nnop\nhlt",
                               translate_after=1)  # fmt: skip
    victim.run()
    often, seldom = victim.host_code()
    assert often
    assert guest not in often + seldom


def test_without_executable_memory_everything_is_interpreted() -> None:
    machine = long_mode_machine(
        "mov ecx, 9\n1: add ebx, ecx\nnop\ndec ecx\njnz 1b\nhlt", translate_after=1
    )
    child = os.fork()
    if child == 0:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + (16 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        machine.run()
        os._exit(99 if machine.host_code()[0] else machine.vcpus[0].read_register("rbx"))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 45
