"""What an exception was, in words: its vector, the bits of its error code, what they point at.

References
----------
SDM Vol. 3A, Interrupt and Exception Handling: Protected-Mode Exceptions and Interrupts, Error Code,
Page-Fault Exceptions.
"""

from __future__ import annotations

from typing import NamedTuple


class ExceptionName(NamedTuple):
    """The mnemonic of a vector, and what it stands for."""

    mnemonic: str
    name: str


EXCEPTION_NAMES = {
    0: ExceptionName("#DE", "divide error"),
    1: ExceptionName("#DB", "debug"),
    2: ExceptionName("NMI", "non-maskable interrupt"),
    3: ExceptionName("#BP", "breakpoint"),
    4: ExceptionName("#OF", "overflow"),
    5: ExceptionName("#BR", "BOUND range exceeded"),
    6: ExceptionName("#UD", "invalid opcode"),
    7: ExceptionName("#NM", "device not available"),
    8: ExceptionName("#DF", "double fault"),
    10: ExceptionName("#TS", "invalid TSS"),
    11: ExceptionName("#NP", "segment not present"),
    12: ExceptionName("#SS", "stack-segment fault"),
    13: ExceptionName("#GP", "general protection"),
    14: ExceptionName("#PF", "page fault"),
    16: ExceptionName("#MF", "x87 floating-point error"),
    17: ExceptionName("#AC", "alignment check"),
    18: ExceptionName("#MC", "machine check"),
    19: ExceptionName("#XM", "SIMD floating-point exception"),
    20: ExceptionName("#VE", "virtualization exception"),
    21: ExceptionName("#CP", "control protection"),
}
"""Vector → what it is; the others below 32 are reserved."""
PAGE_FAULT = 14
_WITH_SELECTOR = frozenset({10, 11, 12, 13})
_WITH_ERROR_CODE = _WITH_SELECTOR | {8, 14, 17, 21}
_PAGE_FAULT_BITS = (
    ("P", "protection violation", "page not present"),
    ("W/R", "write", "read"),
    ("U/S", "in user mode", "in supervisor mode"),
    ("RSVD", "reserved bit set in an entry", ""),
    ("I/D", "instruction fetch", ""),
    ("PK", "protection key", ""),
    ("SS", "shadow stack", ""),
)
_TABLES = ("GDT", "IDT", "LDT", "IDT")


def name_of(vector: int) -> str:
    """Return the mnemonic and the name of a vector below 32."""
    found = EXCEPTION_NAMES.get(vector)
    return "reserved exception" if found is None else f"{found.mnemonic} {found.name}"


def page_fault_bits(error: int) -> str:
    """Return the error code of a page fault in words."""
    words = [on if error >> bit & 1 else off for bit, (_, on, off) in enumerate(_PAGE_FAULT_BITS)]
    names = [name for bit, (name, _, _) in enumerate(_PAGE_FAULT_BITS) if error >> bit & 1]
    return f"{', '.join(filter(None, words))} ({' '.join(names) or 'no bit set'})"


def selector_bits(error: int) -> str:
    """Return the error code of a segment's exception in words."""
    if not error:
        return "no selector"
    outside = ", caused from outside the program (EXT)" if error & 1 else ""
    return f"selector index {error >> 3} of the {_TABLES[error >> 1 & 3]}{outside}"


def analyse(vector: int, error: int, cr2: int | None = None, walk: str = "") -> list[str]:
    """Return lines that say what an exception was.

    Parameters
    ----------
    cr2 : linear address of a page fault
    walk : the translation of that address, a line for each level
    """
    lines = [f"vector {vector}: {name_of(vector)}"]
    if vector in _WITH_ERROR_CODE:
        words = {PAGE_FAULT: page_fault_bits}.get(vector)
        if vector in _WITH_SELECTOR:
            words = selector_bits
        lines.append(f"error code {error:#x}" + (f": {words(error)}" if words else ""))
    if vector == PAGE_FAULT and cr2 is not None:
        lines += [f"CR2 {cr2:#x}", *walk.splitlines()]
    return lines
