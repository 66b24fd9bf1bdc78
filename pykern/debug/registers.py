"""Registers by gdb's names, of a processor by the SDM's.

References
----------
SDM Vol. 1, x87 FPU Tag Word; Vol. 2A, FXSAVE. Debugging with GDB, i386 Features.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from gdbstub.x86 import VIEWS
from pykern_c.interrupts import IA32_APIC_BASE
from pykern_c.vcpu import RegisterBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gdbstub import Architecture
    from pykern_c import Machine, Vcpu

_RENAMED = {
    "fctrl": "fcw", "fstat": "fsw", "fiseg": "fcs", "fioff": "fip", "foseg": "fds", "fooff": "fdp",
    "eflags": "rflags", "fs_base": "fs.base", "gs_base": "gs.base", "k_gs_base": "kernel_gs_base",
    "gdtr": "gdtr.base", "idtr": "idtr.base", "gdtr_limit": "gdtr.limit",
    "idtr_limit": "idtr.limit",
    **{f"e{name}": f"r{name}" for name in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")},
}  # fmt: skip
_UPPER = {f"ymm{i}h": f"ymm{i}" for i in range(16)}
_LOW_HALF = (1 << 128) - 1
_NO_SYSTEM_CALL = -1
_SELECTORS = frozenset(("cs", "ss", "ds", "es", "fs", "gs", "tr", "ldtr"))
_READ_ONLY = frozenset(("orig_rax", "orig_eax", "apic_base", "mode"))
_VALID, _ZERO, _SPECIAL, _EMPTY = range(4)
_EXPONENT, _INTEGER_BIT = 0x7FFF, 1 << 63
_MASK_32 = 0xFFFF_FFFF


def linear_pc(vcpu: Vcpu) -> int:
    """Return the linear address of the next instruction."""
    rip = vcpu.read_register("rip")
    if vcpu.code_bits == 64:
        return rip
    return (rip + vcpu.read_register("cs.base")) & _MASK_32


def read_all(machine: Machine, vcpu: Vcpu, names: Sequence[str]) -> list[int | None]:
    """Return registers by gdb's names; most of them only have another name."""
    one, plain = vcpu.read_register, _PLAIN
    return [one(plain[name]) if name in plain else read(machine, vcpu, name) for name in names]


@functools.cache
def _block(view: str) -> tuple[RegisterBlock, int | None]:
    """Return the general registers of a view in one piece, and where the tag word belongs."""
    architecture = VIEWS[view]
    places, at, tags = [], 0, None
    for register in architecture.general:
        places.append((_RENAMED.get(register.name, register.name), register.size))
        tags = at if register.name == "ftag" else tags
        at += register.size
    return RegisterBlock(places), tags


def read_general(machine: Machine, vcpu: Vcpu, architecture: Architecture) -> bytes | None:
    """Return the general registers as they come in a packet; None: one by one."""
    if architecture is not VIEWS["x86-64"]:
        return None  # a linear PC is none of the processor's registers
    block, tags = _block("x86-64")
    raw = block.read(vcpu)
    if tags is None:
        return raw
    return raw[:tags] + _tags(machine, vcpu).to_bytes(4, "little") + raw[tags + 4 :]


def read(machine: Machine, vcpu: Vcpu, name: str) -> int | None:
    """Return a register by gdb's name; None: there is nothing to know."""
    special = _SPECIAL_READS.get(name)
    if special is not None:
        return special(machine, vcpu)
    if name in _UPPER:
        return vcpu.read_register(_UPPER[name]) >> 128
    return vcpu.read_register(_RENAMED.get(name, name))


def is_known(name: str) -> bool:
    """Tell whether gdb has a register of that name in any of its views."""
    return any(register.name == name for view in VIEWS.values() for register in view.registers)


def place_name(name: str) -> str:
    """Return what an expression in the core calls a register of gdb's; empty: it cannot have it."""
    if name in {"eip", "eflags"}:
        return {"eip": "linear_pc", "eflags": "rflags"}[name]
    return "" if name in _SPECIAL_READS else _RENAMED.get(name, name)


def write(vcpu: Vcpu, name: str, value: int) -> None:
    """Set a register by gdb's name; what describes rather than holds a state stays as it is."""
    if name in _READ_ONLY:
        return
    if name == "eip":
        vcpu.write_register("rip", (value - vcpu.read_register("cs.base")) & _MASK_32)
    elif name == "ip":
        vcpu.write_register("rip", value)
    elif name == "ftag":
        vcpu.write_register("ftw", _abridged(value))
    elif name in _UPPER:
        low = vcpu.read_register(_UPPER[name]) & _LOW_HALF
        vcpu.write_register(_UPPER[name], value << 128 | low)
    elif name in _SELECTORS:
        _write_selector(vcpu, name, value)
    else:
        vcpu.write_register(_RENAMED.get(name, name), value)


def _write_selector(vcpu: Vcpu, name: str, value: int) -> None:
    """Set a selector; in real mode its base follows, else the descriptor stays as loaded."""
    if value == vcpu.read_register(name):
        return
    vcpu.write_register(name, value)
    if not vcpu.read_register("cr0") & 1:
        vcpu.write_register(f"{name}.base", (value & 0xFFFF) << 4)


def _tags(_machine: Machine, vcpu: Vcpu) -> int:
    """Return the full tag word: two bits for each physical register, from the abridged one."""
    in_use, word = vcpu.read_register("ftw"), 0
    if not in_use:
        return 0xFFFF
    for i in range(8):
        tag = _tag(vcpu.read_register(f"r{i}_x87")) if in_use >> i & 1 else _EMPTY
        word |= tag << 2 * i
    return word


def _tag(value: int) -> int:
    exponent, significand = value >> 64 & _EXPONENT, value & ((1 << 64) - 1)
    if exponent == 0 and significand == 0:
        return _ZERO
    if exponent in {0, _EXPONENT} or not significand & _INTEGER_BIT:
        return _SPECIAL
    return _VALID


def _abridged(word: int) -> int:
    return sum(1 << i for i in range(8) if word >> 2 * i & 3 != _EMPTY)


def _apic_base(machine: Machine, vcpu: Vcpu) -> int:
    return machine.apics.local[vcpu.index].read_msr(IA32_APIC_BASE)


_SPECIAL_READS: dict[str, Callable[[Machine, Any], int | None]] = {
    "orig_rax": lambda _machine, _vcpu: _NO_SYSTEM_CALL,
    "orig_eax": lambda _machine, _vcpu: _NO_SYSTEM_CALL,
    "ip": lambda _machine, vcpu: vcpu.read_register("rip") & 0xFFFF,
    "eip": lambda _machine, vcpu: linear_pc(vcpu),
    "ftag": _tags,
    "apic_base": _apic_base,
    "mode": lambda _machine, vcpu: vcpu.code_bits,
}
_PLAIN = {
    register.name: _RENAMED.get(register.name, register.name)
    for view in VIEWS.values()
    for register in view.registers
    if register.name not in _SPECIAL_READS and register.name not in _UPPER
}
"""What the core calls the registers that it has as they are."""
