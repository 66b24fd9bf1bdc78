"""`pykern disasm`: the executable sections of an ELF file, or raw code, as text.

One line an instruction, in the columns of `objdump -d -M intel`: address, bytes, instruction.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.cli.elf_sections import SHF_EXECINSTR, Section, Symbols, read_sections, read_symbols
from pykern.cli.errors import UsageError
from pykern.exit_status import ExitStatus
from pykern.machine.boot import elf_file

if TYPE_CHECKING:
    import argparse

Disassembler = Callable[[bytes, int, int, Callable[[int], str | None]], tuple[int, str]]

_MAX_INSTRUCTION = 15
_BYTES_PER_LINE = 7


@dataclass(frozen=True)
class Code:
    """A run of code to disassemble."""

    name: str
    address: int
    data: bytes


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from pykern_c.isa.disasm import disassemble  # --help needs no compiled module

    image = args.file.read_bytes()
    if elf_file.is_elf(image):
        name = str(args.file)
        elf_class, sections = read_sections(image, name)
        bits = args.bits or (64 if elf_class == elf_file.ELFCLASS64 else 32)
        codes = [Code(s.name, s.address, s.data) for s in _chosen(sections, args.section, name)]
        symbols = read_symbols(sections, elf_class)
    else:
        if args.section:
            raise UsageError(f"{args.file}: --section {args.section}: not an ELF file")
        bits = args.bits or 64
        codes = [Code("", args.base, image)]
        symbols = Symbols.none()
    for code in codes:
        clipped = _clip(code, args.start, args.stop)
        if clipped.data:
            _print(clipped, bits, symbols, disassemble)
    return ExitStatus.POWER_OFF


def _chosen(sections: list[Section], name: str | None, file: str) -> list[Section]:
    if name is None:
        return [section for section in sections if section.flags & SHF_EXECINSTR]
    chosen = [section for section in sections if section.name == name]
    if not chosen:
        known = ", ".join(section.name for section in sections if section.name)
        raise UsageError(f"{file}: no section {name}; there are {known}")
    return chosen


def _clip(code: Code, start: int | None, stop: int | None) -> Code:
    first = max(0, (start or 0) - code.address)
    last = len(code.data) if stop is None else max(0, stop - code.address)
    return Code(code.name, code.address + first, code.data[first:last])


def _print(code: Code, bits: int, symbols: Symbols, disassemble: Disassembler) -> None:
    if code.name:
        print(f"\nDisassembly of section {code.name}:")
    write = sys.stdout.write
    for line in lines(code, bits, symbols, disassemble):
        write(line + "\n")


def lines(code: Code, bits: int, symbols: Symbols, disassemble: Disassembler) -> Iterator[str]:
    """Yield the lines of a run of code."""
    position = 0
    while position < len(code.data):
        address = code.address + position
        label = symbols.at(address)
        if label:
            yield f"\n{address:016x} <{label}>:"
        length, text = disassemble(
            code.data[position : position + _MAX_INSTRUCTION], address, bits, symbols.near
        )
        length = max(1, min(length, len(code.data) - position))
        encoded = code.data[position : position + length]
        yield f"{address:8x}:\t{encoded[:_BYTES_PER_LINE].hex(' '):<20} \t{text}".rstrip()
        for start in range(_BYTES_PER_LINE, length, _BYTES_PER_LINE):
            rest = encoded[start : start + _BYTES_PER_LINE]
            yield f"{address + start:8x}:\t{rest.hex(' ')}"
        position += length
