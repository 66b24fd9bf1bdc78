"""Explain a triple fault: the faults that led to it, in words, and the registers before reset.

References
----------
SDM Vol. 3A, Exception and Interrupt Reference: Double Fault Exception, and Error Code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykern_c.exits import EXCEPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

_WITH_SELECTOR = {10, 11, 12, 13}
_PAGE_FAULT = 14
_WRITE, _FETCH = 1 << 1, 1 << 4
_CR0_PE, _EFER_LMA = 1 << 0, 1 << 10
_REGISTERS = (
    ("rax", "rbx", "rcx", "rdx"),
    ("rsi", "rdi", "rbp", "rsp"),
    ("r8", "r9", "r10", "r11"),
    ("r12", "r13", "r14", "r15"),
    ("rip", "rflags", "cr0", "cr2"),
    ("cr3", "cr4", "efer"),
)
_SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs")


def explain_shutdown(cpu: Any, exit_: Any) -> list[str]:
    """Return what is known of a triple fault as lines of text.

    Parameters
    ----------
    cpu : the processor that shut down, stopped before reset
    exit_ : its Exit; `faults` is the chain, first one first
    """
    lines = [f"triple fault on CPU {exit_.vcpu}"]
    for number, fault in enumerate(exit_.faults, 1):
        lines.append(f"  {number}. {describe_fault(fault)}")
        if fault.vector == _PAGE_FAULT:
            access = "x" if fault.error & _FETCH else "w" if fault.error & _WRITE else "r"
            walk = cpu.translate(fault.address, access).explain()
            lines += [f"     {line}" for line in walk.splitlines()]
        lines.append(f"     {describe_gate(cpu, fault.vector)}")
    return lines + registers(cpu)


def describe_gate(cpu: Any, vector: int) -> str:
    """Return what the IDT says of a vector, and the stack its handler would get.

    References
    ----------
    SDM Vol. 3A, Interrupt Descriptor Table (IDT), IDT Descriptors, and Interrupt Stack Table.
    """
    long_mode = bool(cpu.read_register("efer") & _EFER_LMA)
    base, limit = cpu.read_register("idtr.base"), cpu.read_register("idtr.limit")
    if not cpu.read_register("cr0") & _CR0_PE:
        return f"real-mode vector table at {base:#x}, limit {limit:#x}"
    size = 16 if long_mode else 8
    laddr = base + vector * size
    if vector * size + size - 1 > limit:
        return f"IDT at {base:#x}, limit {limit:#x}: no entry for vector {vector}"
    try:
        gate = int.from_bytes(cpu.read_linear(laddr, size), "little")
    except ValueError:
        return f"IDT entry at {laddr:#x}: not mapped to memory"
    offset = gate & 0xFFFF | (gate >> 48 & 0xFFFF) << 16 | (gate >> 64) << 32
    state = "present" if gate >> 47 & 1 else "not present"
    text = f"IDT entry at {laddr:#x}: {gate >> 16 & 0xFFFF:#x}:{offset:#x}, {state}"
    stack = gate >> 32 & 7 if long_mode else 0
    return f"{text}, IST{stack}" if stack else f"{text}, stack {cpu.read_register('rsp'):#x}"


def describe_fault(fault: Any) -> str:
    """Return a fault in words: name, place, error code and address where it has them.

    Parameters
    ----------
    fault : a FaultRecord of the core: vector, error (or None), rip, address
    """
    text = f"{EXCEPTIONS.get(fault.vector, f'vector {fault.vector:#x}')} at RIP {fault.rip:#x}"
    if fault.error is not None:
        text += f", error code {fault.error:#x} ({error_code(fault.vector, fault.error)})"
    if fault.vector == _PAGE_FAULT:
        text += f", CR2 {fault.address:#x}"
    return text


def error_code(vector: int, error: int) -> str:
    """Return the bits of an error code in words."""
    if vector == _PAGE_FAULT:
        return _page_fault_code(error)
    if vector in _WITH_SELECTOR and error:
        table = "IDT" if error & 2 else "LDT" if error & 4 else "GDT"
        external = ", external event" if error & 1 else ""
        entry = EXCEPTIONS.get(error >> 3, "") if table == "IDT" else ""
        return f"{table} entry {error >> 3:#x}{' ' * bool(entry)}{entry}{external}"
    return "no selector" if not error else "reserved"


def _page_fault_code(error: int) -> str:
    words = [
        "protection" if error & 1 else "page not present",
        "instruction fetch" if error & 0x10 else "write" if error & 2 else "read",
        "user" if error & 4 else "supervisor",
    ]
    return ", ".join([*words, *["reserved bit set"] * bool(error & 8)])


def registers(cpu: Any) -> list[str]:
    """Return the general, control and segment registers of a processor as lines of text."""
    lines = [_line((name, f"{cpu.read_register(name):016x}") for name in row) for row in _REGISTERS]
    lines.append(_line((name, f"{cpu.read_register(name):04x}") for name in _SEGMENTS))
    return lines


def _line(pairs: Iterable[tuple[str, str]]) -> str:
    return "  " + "  ".join(f"{name:>6} {value}" for name, value in pairs)
