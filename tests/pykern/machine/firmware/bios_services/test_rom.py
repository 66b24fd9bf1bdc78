"""The ROM's bytes are the code of its comments, and lie where they say."""

from __future__ import annotations

import itertools
import re
import shutil
from pathlib import Path

import pytest

from pykern.machine.firmware.bios_services import rom
from tests.guest import assemble

needs_assembler = pytest.mark.skipif(shutil.which("as") is None, reason="binutils is missing")


def commented(name: str) -> str:
    """Return the assembly in the comments behind the bytes of a constant."""
    lines = Path(rom.__file__).read_text().splitlines()
    start = lines.index(f"{name} = bytes.fromhex(")
    body = lines[start + 1 : lines.index(")", start)]
    code = [line.split("#", 1)[1].strip().split(", whose")[0] for line in body]
    return "\n".join(code).replace("wait:", "wait_:").replace("wait\n", "wait_\n")


def relative(source: str, origin: int) -> str:
    """Return code whose jumps to absolute addresses are relative to its start, as `ld` likes it."""
    return re.sub(r"jmp (0x\w+)", lambda m: f"jmp _start + {int(m[1], 16) - origin}", source)


@needs_assembler
@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("_KEYBOARD", rom.HANDLERS + 16 * 0x16),
        ("_SYSTEM", rom.HANDLERS + 16 * 0x15),
        ("_SPIN_TAIL", rom.SPIN_TAIL),
        ("_BOOTSTRAP", rom.BOOTSTRAP),
        ("_START", rom.HANDLERS + 16 * 0x19),
    ],
)
def test_bytes_are_those_of_the_comments(name, offset):
    code = assemble(relative(commented(name), offset), bits=16, origin=offset)
    assert getattr(rom, name) == code
    placed = rom.pieces(bytes(4096))
    start = max(where for where in placed if where <= offset)
    assert placed[start][offset - start :][: len(code)] == code


@needs_assembler
def test_short_handlers():
    text = Path(rom.__file__).read_text()
    found = re.findall(r'= "([0-9a-f ]+)"  # (.*)', text)
    assert len(found) >= 4
    for code, comment in found:
        source = comment.replace("; ", "\n").replace("cli\nhlt\nback to cli", "b: cli\nhlt\njmp b")
        source = re.sub(r"\b([0-9A-F]+)h\b", r"0x\1", source)
        if "the same" in source:
            continue
        assert bytes.fromhex(code) == assemble(source, bits=16, origin=0), comment


def test_vectors_lead_to_their_handlers():
    table = rom.vectors()
    for vector in range(256):
        offset, segment = (int.from_bytes(table[4 * vector + at :][:2], "little") for at in (0, 2))
        assert rom.vector_at(16 * segment + offset) == vector
        assert rom.vector_at(16 * segment + offset + 2) == vector
    assert rom.vector_at(0xFE000) is None


def test_pieces_do_not_overlap():
    spans = sorted((start, start + len(data)) for start, data in rom.pieces(bytes(4096)).items())
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    assert spans[-1][1] == 0x10000
