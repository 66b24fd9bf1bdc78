"""A hash of the whole state of a machine: equal runs have equal hashes at equal virtual times."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CHUNK = 64 << 10
REGISTERS = (
    *("rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()),
    *("rip rflags cr0 cr2 cr3 cr4 efer".split()),
    *(
        f"{name}{part}"
        for name in "cs ds es fs gs ss".split()
        for part in ("", ".base", ".limit", ".attr")
    ),
)


class Hashable(Protocol):
    """What is hashed of a machine."""

    @property
    def vcpus(self) -> Sequence[Any]:
        """Return the processors."""

    @property
    def ram_ranges(self) -> Sequence[tuple[int, int]]:
        """Return (base, size) of every range of RAM."""

    def view(self, paddr: int, size: int) -> memoryview:
        """Return guest RAM."""


def state_hash(machine: Hashable, devices: Mapping[str, Any]) -> str:
    """Return a SHA-256 over registers, RAM and what the devices save.

    Parameters
    ----------
    machine : processors and RAM
    devices : what `Board.save()` returns
    """
    digest = hashlib.sha256()
    for cpu in machine.vcpus:
        for name in REGISTERS:
            digest.update(int(cpu.read_register(name)).to_bytes(16, "little"))
    digest.update(json.dumps(devices, sort_keys=True, default=_encode).encode())
    for base, size in machine.ram_ranges:
        _add_memory(digest, base, machine.view(base, size))
    return digest.hexdigest()


def _add_memory(digest: Any, base: int, memory: memoryview) -> None:
    """Add what is not zero: most of a machine's memory has never been touched."""
    for offset in range(0, len(memory), _CHUNK):
        chunk = memory[offset : offset + _CHUNK]
        if np.frombuffer(chunk, np.uint8).any():
            digest.update((base + offset).to_bytes(8, "little"))
            digest.update(chunk)


def _encode(value: object) -> str:
    """Encode what JSON has no form for: memories, enumerations."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return hashlib.sha256(value).hexdigest()
    return str(value)
