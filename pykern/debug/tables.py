"""Descriptor tables in words.

References
----------
SDM Vol. 3A, Segment Descriptors; System Descriptor Types; IDT Descriptors; 64-Bit Mode IDT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.debug import memory

if TYPE_CHECKING:
    from pykern_c import Vcpu

_EFER_LMA = 1 << 10
_SYSTEM_TYPES = {
    1: "TSS16 available", 2: "LDT", 3: "TSS16 busy", 4: "call gate 16", 5: "task gate",
    6: "interrupt gate 16", 7: "trap gate 16", 9: "TSS available", 11: "TSS busy",
    12: "call gate", 14: "interrupt gate", 15: "trap gate",
}  # fmt: skip


def _long_mode(vcpu: Vcpu) -> bool:
    return bool(vcpu.read_register("efer") & _EFER_LMA)


def _table(vcpu: Vcpu, name: str) -> bytes:
    size = vcpu.read_register(f"{name}.limit") + 1
    return memory.read_linear(vcpu, vcpu.read_register(f"{name}.base"), size)


def gdt(vcpu: Vcpu, _arguments: list[str]) -> str:
    """Return the descriptors that are not null, one to a line."""
    table, lines, at = _table(vcpu, "gdtr"), [], 0
    while at + 8 <= len(table):
        low = int.from_bytes(table[at : at + 8], "little")
        wide = _long_mode(vcpu) and low and not low >> 44 & 1 and at + 16 <= len(table)
        high = int.from_bytes(table[at + 8 : at + 16], "little") if wide else 0
        if low:
            lines.append(f"{at:04x}  {_descriptor(low, high)}")
        at += 16 if wide else 8
    return "\n".join(lines) + "\n"


def _descriptor(low: int, high: int) -> str:
    base = low >> 16 & 0xFFFFFF | low >> 56 << 24 | (high & 0xFFFFFFFF) << 32
    limit = low & 0xFFFF | (low >> 48 & 0xF) << 16
    if low >> 55 & 1:
        limit = limit << 12 | 0xFFF
    kind, dpl = low >> 40 & 0xF, low >> 45 & 3
    present = "" if low >> 47 & 1 else ", not present"
    name = _segment(kind, low) if low >> 44 & 1 else _SYSTEM_TYPES.get(kind, f"type {kind}")
    return f"base {base:016x} limit {limit:08x} DPL {dpl} {name}{present}"


def _segment(kind: int, low: int) -> str:
    if not kind & 8:
        return "data " + ("writable" if kind & 2 else "read-only")
    bits = 64 if low >> 53 & 1 else 32 if low >> 54 & 1 else 16
    return f"code {bits}-bit"


def idt(vcpu: Vcpu, _arguments: list[str]) -> str:
    """Return the gates that are present, one to a line; in real mode the vectors."""
    if not vcpu.read_register("cr0") & 1:
        return _real_mode(vcpu)
    table, size = _table(vcpu, "idtr"), 16 if _long_mode(vcpu) else 8
    gates = (
        (vector, int.from_bytes(table[vector * size :][:size], "little"))
        for vector in range(min(256, len(table) // size))
    )
    return "".join(f"{vector:02x}  {_gate(raw)}\n" for vector, raw in gates if raw >> 47 & 1)


def _gate(raw: int) -> str:
    offset = (raw & 0xFFFF) | (raw >> 48 & 0xFFFF) << 16 | (raw >> 64 & 0xFFFFFFFF) << 32
    kind = _SYSTEM_TYPES.get(raw >> 40 & 0xF, "?")
    ist = f" IST {raw >> 32 & 7}" if raw >> 32 & 7 else ""
    return f"{raw >> 16 & 0xFFFF:04x}:{offset:016x} DPL {raw >> 45 & 3} {kind}{ist}"


def _real_mode(vcpu: Vcpu) -> str:
    table = _table(vcpu, "idtr")
    vectors = (
        (v, int.from_bytes(table[v * 4 :][:4], "little")) for v in range(min(256, len(table) // 4))
    )
    return "".join(f"{v:02x}  {far >> 16:04x}:{far & 0xFFFF:04x}\n" for v, far in vectors if far)
