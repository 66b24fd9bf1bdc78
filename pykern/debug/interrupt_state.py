"""Interrupt controllers and the task state segment in words.

References
----------
SDM Vol. 3A, Local APIC: Local Vector Table; Task Management: 64-Bit TSS.
82093AA I/O Advanced Programmable Interrupt Controller: I/O Redirection Table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.debug import memory

if TYPE_CHECKING:
    from pykern_c import Machine, Vcpu

_EFER_LMA = 1 << 10
_PINS = 24
_DELIVERY = ("fixed", "lowest priority", "SMI", "?", "NMI", "INIT", "?", "ExtINT")
_LVT = ("CMCI", "timer", "thermal", "performance", "LINT0", "LINT1", "error")
_TIMER_MODES = ("one-shot", "periodic", "TSC deadline", "?")
_TSS_64 = (("RSP0", 4), ("RSP1", 12), ("RSP2", 20), *((f"IST{i}", 28 + 8 * i) for i in range(1, 8)))
_TSS_64_SIZE = 104
_TSS_32 = (("ESP0", 4), ("SS0", 8), ("CR3", 28), ("EIP", 32), ("ESP", 56))


def apic(machine: Machine, vcpu: Vcpu) -> str:
    """Return the state of a processor's local APIC."""
    local = machine.apics.local[vcpu.index]
    deadline, saved = local.timer_deadline, local.save()
    pending = (local.pending.name or "none").lower().replace("|", ", ")
    lines = [
        f"local APIC {local.id}: PPR {local.ppr:#x}, pending: {pending}",
        f"  IRR {_vectors(local.irr)}",
        f"  ISR {_vectors(local.isr)}",
        f"  TMR {_vectors(local.tmr)}",
        f"  TPR {saved['tpr']:#x}, SVR {saved['svr']:#x}, errors {saved['esr']:#x}",
        f"  timer {'off' if deadline is None else f'due at {deadline} ns'}",
    ]
    lines += [
        f"  LVT {name:11} {_lvt(name, entry)}"
        for name, entry in zip(_LVT, saved["lvt"], strict=True)
    ]
    return "\n".join(lines) + "\n"


def _lvt(name: str, entry: int) -> str:
    mode = _TIMER_MODES[entry >> 17 & 3] if name == "timer" else _DELIVERY[entry >> 8 & 7]
    return f"vector {entry & 0xFF:#04x} {mode}{', masked' if entry >> 16 & 1 else ''}"


def _vectors(bits: int) -> str:
    return " ".join(f"{vector:#x}" for vector in range(256) if bits >> vector & 1) or "none"


def ioapic(machine: Machine) -> str:
    """Return the redirection table, a pin to a line."""
    return "".join(
        f"pin {pin:2}  {_redirection(machine.apics.ioapic.entry(pin))}\n" for pin in range(_PINS)
    )


def _redirection(entry: int) -> str:
    words = [
        f"vector {entry & 0xFF:#04x} {_DELIVERY[entry >> 8 & 7]}",
        f"to {'logical' if entry >> 11 & 1 else 'APIC'} {entry >> 56:#x}",
        "level" if entry >> 15 & 1 else "edge",
        "active low" if entry >> 13 & 1 else "active high",
    ]
    words += ["waits for EOI"] * (entry >> 14 & 1) + ["masked"] * (entry >> 16 & 1)
    return ", ".join(words)


def tss(vcpu: Vcpu) -> str:
    """Return the stacks that a task state segment names.

    Raises
    ------
    TargetError : it is not mapped
    """
    base, limit = vcpu.read_register("tr.base"), vcpu.read_register("tr.limit")
    head = f"TR {vcpu.read_register('tr'):04x}: TSS at {base:#x}, limit {limit:#x}\n"
    wide = bool(vcpu.read_register("efer") & _EFER_LMA)
    fields, size = (_TSS_64, 8) if wide else (_TSS_32, 4)
    if limit + 1 < (_TSS_64_SIZE if wide else fields[-1][1] + size):
        return head + "  too small to be one\n"
    raw = memory.read_linear(vcpu, base, limit + 1)
    lines = [
        f"  {name:4} {int.from_bytes(raw[at : at + size], 'little'):0{2 * size}x}"
        for name, at in fields
    ]
    io_map = int.from_bytes(raw[0x66:0x68], "little")
    return head + "\n".join(lines) + f"\n  I/O permission bitmap at {io_map:#x}\n"
