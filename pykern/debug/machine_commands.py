"""Commands of `monitor` about the whole machine: why, tlb, tss, ioapic, log, faults, power."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import TargetError
from pykern.debug import interrupt_state, memory
from pykern.debug.page_ranges import ranges
from pykern.debug.why import why_address, why_stopped
from pykern_c.vcpu import REGISTER_NAMES

if TYPE_CHECKING:
    from pykern.debug.machine_target import MachineTarget
    from pykern.debug.monitor import Command
    from pykern_c import Vcpu

_LAST_ADDRESS = (1 << 64) - 1
_LOG_LINES = 20
_PER_LINE = 16
_MOST_BYTES = 4096


def machine_commands(target: MachineTarget) -> dict[str, Command]:
    """Return the commands by name."""
    machine = target.machine

    def why(vcpu: Vcpu, arguments: list[str]) -> str:
        if arguments:
            return why_address(target.knowledge, vcpu, address(vcpu, arguments[0]))
        return why_stopped(target.knowledge, target.fault_stops.history, vcpu)

    def log(_vcpu: Vcpu, arguments: list[str]) -> str:
        return target.knowledge.log(count(arguments[0]) if arguments else _LOG_LINES)

    def tlb(vcpu: Vcpu, _arguments: list[str]) -> str:
        found = ranges(machine, vcpu)
        return "".join(f"{one}\n" for one in found) or "paging is off\n"

    def mem(vcpu: Vcpu, _arguments: list[str]) -> str:
        found = ranges(machine, vcpu)
        return "".join(f"{one.as_info_mem}\n" for one in found) or "PG disabled\n"

    def xp(vcpu: Vcpu, arguments: list[str]) -> str:
        start = address(vcpu, arguments[0])
        size = count(arguments[1]) if len(arguments) > 1 else _PER_LINE
        return dump(start, memory.read_physical(machine, start, min(size, _MOST_BYTES)))

    def stop_on_fault(_vcpu: Vcpu, arguments: list[str]) -> str:
        return target.fault_stops.choose(arguments[0])

    def step_others(_vcpu: Vcpu, arguments: list[str]) -> str:
        target.execution.step_others = switch(arguments[0])
        return ""

    def request(what: str) -> str:
        target.request = what
        return f"the machine will {what} when it goes on\n"

    return {
        "why": ("[ADDR]", "the last faults of the processor, or what an address is", why),
        "log": ("[LINES]", "the end of the kernel's log", log),
        "tlb": ("", "what the page tables map: linear range, size, rights, physical", tlb),
        "mem": ("", "the same as QEMU's `info mem` has it", mem),
        "xp": ("ADDR [SIZE]", "bytes of physical memory", xp),
        "apic": ("", "local APIC", lambda vcpu, _: interrupt_state.apic(machine, vcpu)),
        "ioapic": (
            "",
            "redirection table of the I/O APIC",
            lambda *_: interrupt_state.ioapic(machine),
        ),
        "tss": ("", "stacks of the task state segment", lambda vcpu, _: interrupt_state.tss(vcpu)),
        "stop-on-fault": (
            "on|off|#PF|14",
            "stop at the handler of an exception, and explain it",
            stop_on_fault,
        ),
        "step-others": ("on|off", "whether others run while one processor steps", step_others),
        "reset": ("", "reset the machine", lambda *_: _reset(target)),
        "power": ("", "turn the machine off when it goes on", lambda *_: request("kill")),
        "system_reset": ("", "the same as reset, in QEMU's words", lambda *_: _reset(target)),
        "quit": ("", "the same as power, in QEMU's words", lambda *_: request("kill")),
    }


def _reset(target: MachineTarget) -> str:
    target.restart()
    return "the machine has been reset; now type: maintenance flush register-cache\n"


def address(vcpu: Vcpu, text: str) -> int:
    """Return an address given in decimal, with 0x in hexadecimal, or as a `$register`.

    Symbols are addresses already.

    Raises
    ------
    TargetError : it is none
    """
    if text.startswith("$"):
        name = {"pc": "rip", "sp": "rsp", "fp": "rbp"}.get(text[1:], text[1:])
        if name not in REGISTER_NAMES:
            raise TargetError(f"no register {text!r}")
        return vcpu.read_register(name) & _LAST_ADDRESS
    return _number(text, "an address, a register as $pc or a symbol of the kernel")


def _number(text: str, what: str) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= _LAST_ADDRESS:
        raise TargetError(f"{text!r} is not {what}")
    return value


def count(text: str) -> int:
    """Return a number of things.

    Raises
    ------
    TargetError : it is none
    """
    value = _number(text, "a number")
    if value == 0:
        raise TargetError("none of them would be shown")
    return value


def switch(text: str) -> bool:
    """Return what `on` and `off` mean.

    Raises
    ------
    TargetError : it is neither
    """
    if text not in {"on", "off"}:
        raise TargetError(f"{text!r} is neither on nor off")
    return text == "on"


def dump(start: int, data: bytes) -> str:
    """Return bytes in hexadecimal and as characters, 16 to a line."""
    lines = []
    for at in range(0, len(data), _PER_LINE):
        row = data[at : at + _PER_LINE]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{start + at:016x}  {row.hex(' '):47}  {text}\n")
    return "".join(lines)
