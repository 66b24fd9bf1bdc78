"""GNU objdump as the oracle of the disassembler."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LINE = re.compile(r"\s*([0-9a-f]+):\t([0-9a-f ]+?)\s*(?:\t(.*))?$")
SYMBOL = re.compile(r" <[^>]*>")


def unavailable() -> str:
    """Return why objdump cannot be used, or an empty string."""
    return "" if shutil.which("objdump") else "objdump (package binutils) is not installed"


@dataclass(frozen=True)
class Line:
    """One instruction of a listing."""

    address: int
    code: bytes
    text: str


def _lines(output: Iterable[str]) -> Iterator[Line]:
    """Join the lines of instructions whose bytes did not fit on one."""
    pending: Line | None = None
    for raw in output:
        match = LINE.match(raw)
        if not match:
            continue
        address, code, text = int(match[1], 16), bytes.fromhex(match[2]), match[3]
        if text is None and pending is not None:
            pending = Line(pending.address, pending.code + code, pending.text)
            continue
        if pending is not None:
            yield pending
        pending = Line(address, code, text or "")
    if pending is not None:
        yield pending


def sections(path: Path) -> Iterator[Line]:
    """Disassemble the code of an ELF file, an instruction at a time: a kernel has millions."""
    command = ["objdump", "-d", "-M", "intel", "-w", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield from _lines(process.stdout)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def flat(path: Path, bits: int = 64) -> list[Line]:
    """Disassemble a file of raw code."""
    machine = {16: "i8086", 32: "i386", 64: "i386:x86-64"}[bits]
    command = ["objdump", "-D", "-b", "binary", "-m", machine, "-M", "intel", "-w", str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return list(_lines(output.splitlines()))


def normal(text: str) -> str:
    """Return an instruction without symbols, comments and white space that mean nothing."""
    text = SYMBOL.sub("", text)
    text, _, comment = text.partition("#")
    return " ".join(text.split()) + (f" # {comment.split()[0]}" if comment.strip() else "")
