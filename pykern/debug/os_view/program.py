"""What a debugger wants to know of a program: its auxiliary vector, its thread-local storage.

References
----------
x86-64 psABI, Process Initialization. Ulrich Drepper, ELF Handling for Thread-Local Storage,
variant II.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from gdbstub import TargetError
from pykern.debug.os_view.task_memory import peek
from pykern.kernel.core.units import PAGE_SIZE, page_down

if TYPE_CHECKING:
    from pykern.kernel.mm.space import AddressSpace
    from pykern.kernel.task.process import Process

_PAIR = struct.Struct("<QQ")
_AT_NULL, _AT_PHDR, _AT_PHENT = 0, 3, 4
_PHENT = 56
_PAGES = 64
"""Of the top of the stack: arguments and environment take no more."""
_PT_TLS = 7
_ELF64 = b"\x7fELF\2\1"
_EHDR_SIZE = 64


def auxv(process: Process) -> bytes:
    """Return the vector as execve has put it on the stack; empty: it is not there any more."""
    top = _stack_top(process.space, process.space.layout.top)
    for at in range(0, len(top) - 2 * _PAIR.size, _PAIR.size):
        if _PAIR.unpack_from(top, at)[0] != _AT_PHDR:
            continue
        if _PAIR.unpack_from(top, at + _PAIR.size) == (_AT_PHENT, _PHENT):
            return _to_its_end(top, at)
    return b""


def _stack_top(space: AddressSpace, end: int) -> bytes:
    """Return the pages at the top of the stack that have been touched, and hang together."""
    pages: list[bytes] = []
    page = page_down(end - 1)
    while len(pages) < _PAGES and space.pages.entry(page):
        pages.append(peek(space, page) or bytes(PAGE_SIZE))
        page -= PAGE_SIZE
    return b"".join(reversed(pages))


def _to_its_end(top: bytes, start: int) -> bytes:
    """Return the pairs from there on, AT_NULL the last."""
    for at in range(start, len(top) - _PAIR.size + 1, _PAIR.size):
        if _PAIR.unpack_from(top, at)[0] == _AT_NULL:
            return top[start : at + _PAIR.size]
    return b""


def tls_block(executable: bytes, fs_base: int) -> int:
    """Return where the block of a program's own variables begins.

    Raises
    ------
    TargetError : it has none
    """
    if len(executable) < _EHDR_SIZE or not executable.startswith(_ELF64):
        raise TargetError("the program's file is not known")
    (table,) = struct.unpack_from("<Q", executable, 32)
    size, count = struct.unpack_from("<HH", executable, 54)
    for at in range(table, table + size * count, size):
        kind, _, _, _, _, _, memory, align = struct.unpack_from("<IIQQQQQQ", executable, at)
        if kind == _PT_TLS:
            align = max(align, 1)
            return fs_base - int(-(-memory // align) * align)
    raise TargetError("the program has no thread-local variables")
