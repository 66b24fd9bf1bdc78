"""What `monitor COMMAND` prints: views of the machine that gdb has no words for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import TargetError
from pykern.debug import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from gdbstub import ThreadId
    from pykern.debug.machine_target import MachineTarget
    from pykern_c import Vcpu

_PER_LINE = 4
_SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs", "ldtr", "tr")
_REGISTERS = (
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
    *(f"r{i}" for i in range(8, 16)),
    *("rip", "rflags", "cr0", "cr2", "cr3", "cr4", "cr8", "efer"),
    *("dr0", "dr1", "dr2", "dr3", "dr6", "dr7"),
    *("star", "lstar", "fmask", "kernel_gs_base"),
)


class Monitor:
    """Executes commands of `monitor`.

    Parameters
    ----------
    target : the machine they are about
    """

    def __init__(self, target: MachineTarget) -> None:
        self._target = target
        self._commands: dict[str, tuple[str, str, Callable[[Vcpu, list[str]], str]]] = {
            "help": ("", "this list", self._help),
            "walk": ("ADDR", "page tables for a linear address, entry by entry", _walk),
            "translate": ("ADDR", "physical address of a linear one", _translate),
            "regs": ("", "registers of the processor, hidden parts of segments too", _regs),
            "gdt": ("", "descriptors of the global descriptor table", tables.gdt),
            "idt": ("", "gates of the interrupt descriptor table", tables.idt),
            "apic": ("", "state of the local APIC", self._apic),
            "time": ("", "virtual time, and instructions retired", self._time),
            "view": ("NAME", "what the next gdb at this door sees: cpu or os", self._view),
            "arch": ("NAME", "registers as i8086, i386 or x86-64 code sees them", self._arch),
        }

    def execute(self, thread: ThreadId, command: str) -> str:
        """Return what a command prints.

        Raises
        ------
        TargetError : there is no such command, or its arguments are wrong
        """
        name, *arguments = command.split() or ["help"]
        found = self._commands.get(name)
        if found is None:
            raise TargetError(f"no command {name!r}; `monitor help` lists them")
        wanted, _, function = found
        if len(arguments) != len(wanted.split()):
            raise TargetError(f"usage: monitor {name} {wanted}".rstrip())
        return function(self._target.vcpu(thread), arguments)

    def _help(self, _vcpu: Vcpu, _arguments: list[str]) -> str:
        rows = [(f"{name} {wanted}", text) for name, (wanted, text, _) in self._commands.items()]
        return "".join(f"{usage:16} {text}\n" for usage, text in rows)

    def _apic(self, vcpu: Vcpu, _arguments: list[str]) -> str:
        apic = self._target.machine.apics.local[vcpu.index]
        deadline = apic.timer_deadline
        timer = "off" if deadline is None else f"{deadline} ns"
        return (
            f"local APIC {apic.id}: PPR {apic.ppr:#x} pending {apic.pending!r}\n"
            f"  IRR {_vectors(apic.irr)}\n  ISR {_vectors(apic.isr)}\n  TMR {_vectors(apic.tmr)}\n"
            f"  timer {timer}\n"
        )

    def _time(self, vcpu: Vcpu, _arguments: list[str]) -> str:
        machine = self._target.machine
        return (
            f"{machine.now} ns; {vcpu.retired} instructions on this processor, "
            f"{machine.retired} on all\n"
        )

    def _view(self, _vcpu: Vcpu, arguments: list[str]) -> str:
        if self._target.next_view is None:
            raise TargetError("there is one view only")
        self._target.next_view(arguments[0])
        return "now type: disconnect, then target remote again\n"

    def _arch(self, _vcpu: Vcpu, arguments: list[str]) -> str:
        self._target.choose_view(arguments[0])
        return "now type: unset tdesc filename\n"


def address(text: str) -> int:
    """Return an address given in decimal, or with 0x in hexadecimal.

    Raises
    ------
    TargetError : it is none
    """
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 64:
        raise TargetError(f"{text!r} is not an address")
    return value


def _walk(vcpu: Vcpu, arguments: list[str]) -> str:
    return vcpu.translate(address(arguments[0])).explain() + "\n"


def _translate(vcpu: Vcpu, arguments: list[str]) -> str:
    walk = vcpu.translate(address(arguments[0]))
    if walk.paddr is None:
        return f"{walk.laddr:#x} is not mapped\n"
    return f"{walk.laddr:#x} is physical {walk.paddr:#x}\n"


def _regs(vcpu: Vcpu, _arguments: list[str]) -> str:
    cells = [f"{name:>8} {vcpu.read_register(name):016x}" for name in _REGISTERS]
    lines = ["".join(cells[at : at + _PER_LINE]) for at in range(0, len(cells), _PER_LINE)]
    read = vcpu.read_register
    lines += [
        f"{name:>8} {read(name):04x} base {read(name + '.base'):016x} "
        f"limit {read(name + '.limit'):08x} attr {read(name + '.attr'):05x}"
        for name in _SEGMENTS
    ]
    lines += [
        f"{name:>8}      base {read(name + '.base'):016x} limit {read(name + '.limit'):08x}"
        for name in ("gdtr", "idtr")
    ]
    lines.append(f"     cpl {read('cpl')}, {vcpu.code_bits}-bit code, {vcpu.activity}")
    return "\n".join(lines) + "\n"


def _vectors(bits: int) -> str:
    return " ".join(f"{vector:#x}" for vector in range(256) if bits >> vector & 1) or "none"
