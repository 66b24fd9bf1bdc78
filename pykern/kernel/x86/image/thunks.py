"""Write the thunks: one C function for each hosted function of the kernel.

A thunk's `#line` names the Python `def` it stands for, so that a debugger shows that source. The
sources are read, not imported: the image is built before the package can be.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from itertools import starmap
from typing import TYPE_CHECKING

from pykern.kernel.x86 import layout
from pykern.kernel.x86.hostcall import PREFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

EXPORTS = (
    *("cpu_idle", "halt_forever", "kthread_start", "guest_call_return", "return_to_user"),
    "kthread_yield",
    *("secondary_entry", "syscall_entry", "vector_stubs", "boot_stack_top", "trampoline_start"),
    *("trampoline_end", "trampoline_parameters", "exception_table"),
    *("__text_start", "__text_end", "__rodata_start", "__rodata_end", "__data_start", "__data_end"),
    *("spin_lock", "spin_unlock", "spin_lock_irqsave", "spin_unlock_irqrestore", "spin_trylock"),
    *("locked_count", "read_cpuid", "limine_requests", "built_in_command_line"),
)
"""Symbols that hosted code needs the addresses of."""


@dataclass(frozen=True)
class HostedFunction:
    """One function of the image whose body is in Python.

    Attributes
    ----------
    symbol : its name in the image
    parameters : names, as the debugger shows them; at most 6
    path : source file, relative to the root of the project
    line : of the `def`
    """

    symbol: str
    parameters: tuple[str, ...]
    path: str
    line: int


def find(root: Path, paths: Iterable[Path]) -> list[HostedFunction]:
    """Return the hosted functions of source files, by symbol.

    Raises
    ------
    ValueError : two have one symbol, or one has more parameters than registers carry
    """
    found: dict[str, HostedFunction] = {}
    for path in sorted(paths):
        for function in _of_file(root, path):
            if function.symbol in found:
                raise ValueError(
                    f"{function.path}:{function.line}: {function.symbol} is hosted already at "
                    f"{found[function.symbol].path}:{found[function.symbol].line}"
                )
            if len(function.parameters) > 6:
                raise ValueError(
                    f"{function.path}:{function.line}: {function.symbol} has "
                    f"{len(function.parameters)} parameters; registers carry 6"
                )
            found[function.symbol] = function
    return [found[symbol] for symbol in sorted(found)]


def _of_file(root: Path, path: Path) -> Iterable[HostedFunction]:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for decorator in node.decorator_list:
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            name = target.id if isinstance(target, ast.Name) else None
            if name in PREFIXES:
                yield HostedFunction(
                    PREFIXES[name] + node.name.rstrip("_"),
                    tuple(_guest_parameters(node)),
                    path.relative_to(root).as_posix(),
                    node.lineno,
                )


def _guest_parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterable[str]:
    """Return the parameters that come in registers: not the object, not the calling thread."""
    names = [argument.arg for argument in node.args.args]
    return (name for name in names if name not in {"self", "cpu", "thread", "kernel"})


def c_source(functions: Sequence[HostedFunction], tables: dict[str, dict[int, str]]) -> str:
    """Return the C text of all thunks, the names behind their numbers, and the call tables.

    Parameters
    ----------
    functions : in the order of their numbers, the first one is 1
    tables : symbol of a table → {number: symbol of the function}
    """
    parts = ["/* Written by pykern.kernel.x86.image.thunks. */", '#line 1 "pykern/thunks.c"']
    parts += list(starmap(_thunk, enumerate(functions, 1)))
    parts.append('#line 1 "pykern/thunks.c"')
    parts += list(starmap(_table, tables.items()))
    parts.append(_exceptions({function.symbol for function in functions}))
    parts.append(_image(functions, tables))
    return "\n".join(parts) + "\n"


def _thunk(number: int, function: HostedFunction) -> str:
    parameters = ", ".join(f"long {name}" for name in function.parameters) or "void"
    return (
        f'#line {function.line} "{function.path}"\n'
        f"__attribute__((naked)) long {function.symbol}({parameters})"
        f' {{ __asm__ volatile("movl ${number}, %eax\\n\\tout %eax, ${layout.HOSTCALL_PORT}'
        '\\n\\tret"); }'
    )


def _table(name: str, entries: dict[int, str]) -> str:
    size = max(entries, default=0) + 1
    rows = "".join(f"    [{number}] = (void *){symbol},\n" for number, symbol in entries.items())
    return (
        f"const unsigned long {name}_size = {size};\n"
        f"void *const {name}[{size}] = {{\n"
        f"    [0 ... {size - 1}] = (void *)sys_ni_syscall,\n{rows}}};"
    )


def _exceptions(known: set[str]) -> str:
    rows = "".join(
        f"    [{vector}] = (void *)do_{name},\n"
        for vector, name in layout.EXCEPTIONS.items()
        if f"do_{name}" in known
    )
    return (
        "void *const exception_table[32] = {\n"
        f"    [0 ... 31] = (void *)do_reserved_exception,\n{rows}}};"
    )


def _image(functions: Sequence[HostedFunction], tables: dict[str, dict[int, str]]) -> str:
    """Return `pykern_image`: what the host reads when the image attaches (see attach.py)."""
    exports = [*EXPORTS, *(name for table in tables for name in (table, f"{table}_size"))]
    defined = {*tables, *(f"{table}_size" for table in tables), "exception_table"}
    defined |= {function.symbol for function in functions}
    externs = "".join(f"extern char {name}[];\n" for name in exports if name not in defined)
    names = "\\0".join(function.symbol for function in functions)
    symbols = "".join(f'    {{ "{name}", (void *)&{name} }},\n' for name in exports)
    return (
        f"{externs}"
        f'static const char hostcall_names[] = "{names}\\0";\n'
        "static const struct { char name[32]; const void *address; } exports[] = {\n"
        f"{symbols}}};\n"
        "const struct {\n    char magic[8]; unsigned long version, hostcalls; const char *names;\n"
        "    unsigned long exports; const void *symbols;\n"
        '} pykern_image = { "PYKERN\\0", 1, '
        f"{len(functions)}, hostcall_names, {len(exports)}, exports }};"
    )
