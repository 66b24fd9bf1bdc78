"""Why something went wrong: the faults of a processor in words, and what an address is.

References
----------
SDM Vol. 3A, Interrupt and Exception Handling: Page-Fault Exceptions, Error Code.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.machine.shutdown import describe_fault, describe_gate
from pykern_c.exits import FaultRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.debug.knowledge import Knowledge
    from pykern_c import Machine, Vcpu

_REMEMBERED = 8
"""Faults of a processor that are kept."""
_LAST_EXCEPTION = 31
_NMI, _PAGE_FAULT = 2, 14
_WITH_ERROR_CODE = frozenset({8, 10, 11, 12, 13, 14, 17})
_WRITE, _FETCH = 1 << 1, 1 << 4


@dataclass(frozen=True)
class Fault:
    """An exception that was delivered.

    Attributes
    ----------
    time_ns : virtual time
    cpl : privilege level it came from
    """

    record: FaultRecord
    time_ns: int
    cpl: int


class FaultHistory:
    """Remembers the last exceptions of each processor; the run is the same with it and without.

    Parameters
    ----------
    machine : the computer
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._faults: list[deque[Fault]] = [deque(maxlen=_REMEMBERED) for _ in machine.vcpus]
        self._begun = False
        self.on_fault: Callable[[Vcpu, Fault], None] = lambda _vcpu, _fault: None

    def begin(self) -> None:
        """Remember from now on."""
        if not self._begun:
            self._begun = True
            self._machine.add_hook(self._note, kinds="int", first=0, last=_LAST_EXCEPTION)

    def of(self, vcpu: Vcpu) -> list[Fault]:
        """Return what is remembered, oldest first."""
        return list(self._faults[vcpu.index])

    def _note(self, vcpu: Vcpu, vector: int, error: int, external: bool) -> None:
        if external or vector == _NMI:
            return
        read = vcpu.read_register
        address = read("cr2") if vector == _PAGE_FAULT else 0
        code = error if vector in _WITH_ERROR_CODE else None
        record = FaultRecord(vector, code, read("rip"), address)
        fault = Fault(record, self._machine.now, read("cpl"))
        self._faults[vcpu.index].append(fault)
        self.on_fault(vcpu, fault)


def why_address(knowledge: Knowledge, vcpu: Vcpu, laddr: int) -> str:
    """Return what an address is: symbol, owner, and the walk with the level that fails."""
    lines = [knowledge.symbol(laddr)]
    owner = knowledge.owner(vcpu, laddr)
    if owner:
        lines.append(f"  {owner}")
    lines += [f"  {line}" for line in vcpu.translate(laddr).explain().splitlines()]
    return "\n".join(lines) + "\n"


def why_stopped(knowledge: Knowledge, history: FaultHistory, vcpu: Vcpu) -> str:
    """Return the last fault of a processor in full, and the ones before in a line each."""
    faults = history.of(vcpu)
    if not faults:
        return f"CPU {vcpu.index} has had no fault while a debugger was there\n"
    *earlier, last = faults
    lines = [f"before: {summary(knowledge, fault)}" for fault in earlier]
    return "\n".join([*lines, *explain(knowledge, vcpu, last)]) + "\n"


def summary(knowledge: Knowledge, fault: Fault) -> str:
    """Return a fault in one line."""
    words = describe_fault(fault.record)
    place = knowledge.symbol(fault.record.rip)
    return f"{words.replace(f'{fault.record.rip:#x}', place, 1)}, CPL {fault.cpl}"


def explain(knowledge: Knowledge, vcpu: Vcpu, fault: Fault) -> list[str]:
    """Return a fault in full: words, address with owner and walk as they are now, IDT entry."""
    lines = [f"CPU {vcpu.index} at {fault.time_ns} ns: {summary(knowledge, fault)}"]
    record = fault.record
    if record.vector == _PAGE_FAULT:
        error = record.error or 0
        access = "x" if error & _FETCH else "w" if error & _WRITE else "r"
        owner = knowledge.owner(vcpu, record.address)
        lines += [f"  {owner}"] * bool(owner)
        walk = vcpu.translate(record.address, access).explain()
        lines += [f"  {line}" for line in walk.splitlines()]
    return [*lines, f"  {describe_gate(vcpu, record.vector)}"]
