"""What binutils read in the debug information."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from pykern.debug.python_source import dwarf, elf
from pykern.debug.python_source.functions import FIRST_ADDRESS, LINE_SIZE
from tests.pykern.debug.python_source.conftest import ROOT

pytestmark = pytest.mark.skipif(shutil.which("addr2line") is None, reason="needs binutils")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Return a small program with debug information of its own."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "a.c").write_text(
        "int answer(void) { return 42; }\nvoid _start(void) { answer(); }\n"
    )
    command = ["gcc", "-g", "-gdwarf-4", "-nostdlib", "-static", "-no-pie", "a.c", "-o", "a"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "a"


@pytest.fixture(scope="module")
def extended(program, kernel_functions, tmp_path_factory):
    image = program.read_bytes()
    more = dwarf.sections(kernel_functions.all, str(ROOT), elf.sizes(image))
    size = kernel_functions.end - FIRST_ADDRESS
    path = tmp_path_factory.mktemp("extended") / "a"
    path.write_bytes(elf.extended(image, more, ".pysource", FIRST_ADDRESS, size))
    return path


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not re.search(r"warning|corrupt|error", done.stderr, re.IGNORECASE), done.stderr[:1000]
    return done.stdout


def test_every_line_of_every_function(extended, kernel_functions):
    wanted, asked = [], []
    for function in kernel_functions.all:
        for at, line in enumerate(function.lines):
            asked.append(f"{function.address + LINE_SIZE * at:#x}\n")
            wanted += [function.name, f"{ROOT}/{function.path}:{line}"]
    done = subprocess.run(
        ["addr2line", "-f", "-e", extended],
        input="".join(asked), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == wanted
    assert len(asked) > 5000


def test_the_program_is_what_it_was(program, extended):
    assert "a.c:1\n" in run("addr2line", "-f", "-e", extended, _address_of(program, "answer"))
    for arguments in ("-lW", "-sW"):
        assert (
            run("readelf", arguments, extended).splitlines()[3:]
            == run("readelf", arguments, program).splitlines()[3:]
        )


def _address_of(program, name):
    return next(x.split()[0] for x in run("nm", program).splitlines() if x.endswith(f" {name}"))


def test_a_frame_is_its_return_address(extended, kernel_functions):
    text = run("readelf", "--debug-dump=frames-interp", extended)
    rule, start, end = re.search(r"(.*)\n\n.* FDE .* pc=(\w+)\.\.(\w+)\s*$", text).groups()
    assert (int(start, 16), int(end, 16)) == (FIRST_ADDRESS, kernel_functions.end)
    assert rule.split()[1:] == ["rsp+8", "c-8"]


def test_variables_have_slots_by_the_frames_place(extended, kernel_functions):
    text = run("readelf", "--debug-dump=info", extended)
    start = text.index(": pykern/kernel\n")
    entry = text[start:].split("DW_TAG_subprogram")[1 + 100]
    function = kernel_functions.all[100]
    assert re.findall(r"DW_AT_name.*: (\S+)\n", entry) == [function.name, *function.names]
    assert entry.count("DW_TAG_formal_parameter") == len(function.parameters)
    mask, factor, base = re.search(
        r"DW_OP_call_frame_cfa; DW_OP_constu: (\d+); DW_OP_and; DW_OP_constu: (\d+); DW_OP_mul; "
        r"DW_OP_const8u: (\d+)( \d+)?; DW_OP_plus",
        entry,
    ).groups()[:3]
    for cfa in (0xFFFF_B000_0000_EF18, 0xFFFF_FFFF_FFFF_FFF8, 8):
        assert dwarf.SLOTS <= dwarf.slots(cfa) <= (1 << 64) - 8 * dwarf.MOST_SLOTS
        assert dwarf.slots(cfa) == (cfa & int(mask)) * int(factor) + dwarf.SLOTS
    assert int(base) in {dwarf.SLOTS, dwarf.SLOTS & 0xFFFF_FFFF}
    places = [int(place) for place in re.findall(r"DW_OP_fbreg: (\d+)", entry)]
    assert places == [8 * slot for slot in range(len(function.names))]
