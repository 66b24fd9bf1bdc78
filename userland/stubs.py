"""C headers from the ABI tables: a number and a macro for each system call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pykern.kernel.abi.calls import Call


def linux(calls: Iterable[Call]) -> str:
    """Return ``pykern/syscalls.h``: ``SYS_read`` for assembly too, and ``sys_read()`` for C."""
    calls = list(calls)
    numbers = "\n".join(f"#define SYS_{call.name} {call.number}" for call in calls)
    macros = "\n".join(_linux_macro(call) for call in calls)
    return f"/* Generated from pykern.kernel.abi. */\n#pragma once\n\n{numbers}\n\n{macros}\n"


def gate(calls: Iterable[Call], name: str) -> str:
    """Return ``NAME/syscalls.h`` of a profile that is entered by SYSCALL, as for Linux."""
    return linux(calls).replace("pykern.kernel.abi. ", f"pykern.kernel.abi.{name}. ", 1)


def _linux_macro(call: Call) -> str:
    short = len(call.arguments) <= 3
    return _macro(call, f"syscall{3 if short else 6}(SYS_{call.name}", 3 if short else 6)


def mellos(calls: Iterable[Call]) -> str:
    """Return ``mellos/syscalls.h``: ``SYS_WRITE`` and ``sys_write()`` by ``int 0x80``."""
    calls = list(calls)
    numbers = "\n".join(f"#define SYS_{call.name.upper()} {call.number}" for call in calls)
    macros = "\n".join(_macro(call, f"int80(SYS_{call.name.upper()}", 3) for call in calls)
    return (
        f"/* Generated from pykern.kernel.abi.mellos. */\n#pragma once\n\n{numbers}\n\n{macros}\n"
    )


def _macro(call: Call, head: str, registers: int) -> str:
    values = [f"(long)({name})" for name in call.arguments]
    values += ["0"] * (registers - len(values))
    parameters = ", ".join(call.arguments)
    return f"#define sys_{call.name}({parameters}) {head}, {', '.join(values)})"
