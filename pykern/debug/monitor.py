"""What `monitor COMMAND` prints: views of the machine that gdb has no words for."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from gdbstub import TargetError
from pykern.debug import tables
from pykern.debug.machine_commands import address, machine_commands

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gdbstub import ThreadId
    from pykern.debug.machine_target import MachineTarget
    from pykern_c import Vcpu

    Command = tuple[str, str, Callable[[Vcpu, list[str]], str]]
    """Names of the arguments, what it is about, and the function."""

_PER_LINE = 4
_INFO = {"registers": "regs", "mem": "mem", "tlb": "tlb", "lapic": "apic", "pic": "ioapic"}
"""What QEMU's `info` calls it, and what it is called here."""
_HARMLESS = frozenset(
    ("help", "walk", "translate", "regs", "gdt", "idt", "time", "why", "log", "tlb", "mem", "xp",
     "apic", "ioapic", "tss", "info")
)  # fmt: skip
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
        self._commands: dict[str, Command] = {
            "help": ("", "this list", self._help),
            "walk": ("ADDR", "page tables for a linear address, entry by entry", walk),
            "translate": ("ADDR", "physical address of a linear one", _translate),
            "regs": ("", "registers of the processor, hidden parts of segments too", regs),
            "gdt": ("", "descriptors of the global descriptor table", tables.gdt),
            "idt": ("", "gates of the interrupt descriptor table", tables.idt),
            "time": ("", "virtual time, and instructions retired", self._time),
            "view": ("NAME", "what the next gdb at this door sees: cpu or os", self._view),
            "arch": ("NAME", "registers as i8086, i386 or x86-64 code sees them", self._arch),
        }
        self.add(machine_commands(target))
        self.add(
            {"info": ("WHAT", "registers, mem, tlb, lapic or pic, in QEMU's words", self._info)}
        )

    def execute(self, thread: ThreadId, command: str) -> str:
        """Return what a command prints.

        Raises
        ------
        TargetError : there is no such command, or its arguments are wrong
        """
        name, _, rest = command.strip().partition(" ")
        found = self._commands.get(name or "help")
        if found is None:
            close = difflib.get_close_matches(name, self._commands, 1)
            hint = f", perhaps {close[0]}" if close else ""
            raise TargetError(f"no command {name!r}{hint}; `monitor help` lists them")
        wanted, _, function = found
        arguments = _arguments(wanted, rest)
        if arguments is None:
            raise TargetError(f"usage: monitor {name} {wanted}".rstrip())
        resolved = map(self._resolved, wanted.split(), arguments)
        return function(self._target.vcpu(thread), list(resolved))

    def _resolved(self, wanted: str, argument: str) -> str:
        """Return an argument with the address in place of a symbol's name."""
        if wanted.strip("[]") != "ADDR":
            return argument
        found = self._target.knowledge.find(argument)
        return argument if found is None else hex(found)

    def add(self, commands: Mapping[str, Command]) -> None:
        """Have more commands."""
        self._commands.update(commands)

    def _help(self, _vcpu: Vcpu, _arguments: list[str]) -> str:
        rows = [(f"{name} {wanted}", text) for name, (wanted, text, _) in self._commands.items()]
        return "".join(f"{usage:28} {text}\n" for usage, text in rows)

    def _info(self, vcpu: Vcpu, arguments: list[str]) -> str:
        name = _INFO.get(arguments[0])
        if name is None:
            raise TargetError(f"info {arguments[0]!r}, expected one of {', '.join(_INFO)}")
        return self._commands[name][2](vcpu, [])

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


def harmless(monitor: Callable[[ThreadId, str], str]) -> Callable[[ThreadId, str], str]:
    """Return what answers only those commands of `monitor` that change nothing."""

    def answer(thread: ThreadId, command: str) -> str:
        name = command.strip().partition(" ")[0]
        if name and name not in _HARMLESS:
            raise TargetError(f"an observer may ask for {', '.join(sorted(_HARMLESS))}")
        return monitor(thread, command)

    return answer


def _arguments(wanted: str, text: str) -> list[str] | None:
    """Split what follows a command's name; None: it is not what the command wants.

    Parameters
    ----------
    wanted : a word for each argument; `[WORD]` may be missing, `WORD...` is all the text there is
    """
    if wanted.endswith("..."):
        return [text.strip()] if text.strip() else None
    arguments, most = text.split(), len(wanted.split())
    return arguments if most - wanted.count("[") <= len(arguments) <= most else None


def walk(vcpu: Vcpu, arguments: list[str]) -> str:
    """Return the page tables for a linear address, entry by entry."""
    return vcpu.translate(address(vcpu, arguments[0])).explain() + "\n"


def _translate(vcpu: Vcpu, arguments: list[str]) -> str:
    walk = vcpu.translate(address(vcpu, arguments[0]))
    if walk.paddr is None:
        return f"{walk.laddr:#x} is not mapped\n"
    return f"{walk.laddr:#x} is physical {walk.paddr:#x}\n"


def regs(vcpu: Vcpu, _arguments: list[str]) -> str:
    """Return the registers of a processor, hidden parts of segments too."""
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
