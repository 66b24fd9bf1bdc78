"""What an image of a process may say: it comes from a file or another machine, maybe a hostile one.

Restoring what passes can fail as a system call can, and do nothing else: no register reaches the
kernel's half or ring 0, no number is out of its range, nothing is larger than a process may be.
"""

from __future__ import annotations

import json
from dataclasses import fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.fs.flags import O_CREAT, O_EXCL, O_TRUNC
from pykern.kernel.fs.table import FILES_MAX
from pykern.kernel.migration.wire import BadMessage
from pykern.kernel.task.sigaction import UNBLOCKABLE, SigAction, Signal
from pykern.kernel.x86 import fxsave
from pykern.kernel.x86.layout import FRAME_FIELDS, SELECTORS, VECTOR_SYSCALL
from pykern.kernel.x86.trapframe import sanitised_rflags

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ONCE", "check_page", "parsed"]

T = TypeVar("T")

USER_END = 1 << 47
"""End of the canonical addresses of user mode."""
ONCE = O_CREAT | O_EXCL | O_TRUNC
"""What is asked for when a file is opened first, and not again."""
_U64, _U32 = (1 << 64) - 1, (1 << 32) - 1
_I64, _I32 = (1 << 63) - 1, (1 << 31) - 1
_MOST_AREAS, _MOST_THREADS, _MOST_SIGNALS, _MOST_GROUPS = 65_530, 1024, 4096, 65_536
_MOST_WORDS = 1 << 16
_PATH_MAX, _NAME_MAX, _WORD_MAX = 4096, 255, 1 << 17
_NO_ID = _U32
_LAST_SIGNAL = 64
_FOREVER_NS = 1 << 62
_PROT = 7


def parsed(data: bytes, names: frozenset[str]) -> dict[str, Any]:
    """Return the values of an image, each of its type and in its range.

    Parameters
    ----------
    names : what there has to be, no more and no less

    Raises
    ------
    BadMessage : it is none; says what was found, and where
    """
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"image of a process: no JSON ({error})") from None
    found = _dict(values, "image", names)
    return {name: _FIELDS[name](found[name], name) for name in names}


def check_page(laddr: int) -> None:
    """Raise BadMessage unless an address is a page's of user mode."""
    if laddr & (PAGE_SIZE - 1) or laddr >= USER_END:
        raise BadMessage(f"page {laddr:#x}, expected one of user mode")


def _bad(where: str, value: object, expected: str) -> BadMessage:
    shown = repr(value)
    return BadMessage(f"image of a process: {where} is {shown[:60]}, expected {expected}")


def _int(value: object, where: str, most: int = _U64, least: int = 0) -> int:
    if type(value) is not int or not least <= value <= most:
        raise _bad(where, value, f"a number from {least} to {most:#x}")
    return value


def _bool(value: object, where: str) -> bool:
    if type(value) is not bool:
        raise _bad(where, value, "true or false")
    return value


def _text(value: object, where: str, most: int = _WORD_MAX) -> str:
    if type(value) is not str or len(value) > most or "\0" in value:
        raise _bad(where, value, f"at most {most} characters, none of them 0")
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise _bad(where, value, "text") from None
    return value


def _line(value: object, where: str, most: int = _NAME_MAX) -> str:
    text = _text(value, where, most)
    if not all(letter.isprintable() for letter in text):
        raise _bad(where, value, "printable characters")
    return text


def _path(value: object, where: str) -> str:
    text = _text(value, where, _PATH_MAX)
    if not text.startswith("/"):
        raise _bad(where, value, "an absolute path")
    return text


def _list(
    value: object, where: str, item: Callable[[Any, str], T], most: int, least: int = 0
) -> list[T]:
    if type(value) is not list or not least <= len(value) <= most:
        raise _bad(where, value, f"a list of {least} to {most}")
    return [item(each, f"{where}[{index}]") for index, each in enumerate(value)]


def _dict(value: object, where: str, names: frozenset[str]) -> dict[str, Any]:
    if type(value) is not dict or value.keys() != names:
        keys = sorted(value) if type(value) is dict else value
        raise _bad(where, keys, f"{', '.join(sorted(names))}")
    return value


def _row(value: object, where: str, *items: Callable[[Any, str], Any]) -> list[Any]:
    if type(value) is not list or len(value) != len(items):
        raise _bad(where, value, f"{len(items)} values")
    return [
        item(each, f"{where}[{at}]")
        for at, (item, each) in enumerate(zip(items, value, strict=True))
    ]


def _user_address(value: object, where: str) -> int:
    return _int(value, where, USER_END - 1)


def _page_address(value: object, where: str) -> int:
    laddr = _int(value, where, USER_END)
    if laddr & (PAGE_SIZE - 1):
        raise _bad(where, hex(laddr), "the address of a page")
    return laddr


# -- the fields


def _umask(value: object, where: str) -> int:
    return _int(value, where, 0o777)


def _brk(value: object, where: str) -> list[int]:
    start, end = _row(value, where, _user_address, _user_address)
    if start > end:
        raise _bad(where, value, "a start and an end behind it")
    return [start, end]


def _area(value: object, where: str) -> list[Any]:
    def prot(number: object, at: str) -> int:
        return _int(number, at, _PROT)

    area = _row(value, where, _page_address, _page_address, prot, _bool, _line)
    if area[0] >= area[1]:
        raise _bad(where, value, "a start and an end behind it")
    return area


def _areas(value: object, where: str) -> list[list[Any]]:
    areas = _list(value, where, _area, _MOST_AREAS)
    for before, area in pairwise(areas):
        if before[1] > area[0]:
            raise _bad(where, f"{area[0]:#x} behind {before[1]:#x}", "areas in order")
    return areas


def _frame(value: object, where: str) -> dict[str, int]:
    """Return the registers, with those selectors and flags that user mode has."""
    found = _dict(value, where, frozenset(FRAME_FIELDS))
    frame = {name: _int(found[name], f"{where}.{name}") for name in FRAME_FIELDS}
    _user_address(frame["rip"], f"{where}.rip")
    _int(frame["vector"], f"{where}.vector", VECTOR_SYSCALL)
    frame["cs"], frame["ss"] = SELECTORS["USER_CS"], SELECTORS["USER_DS"]
    frame["rflags"] = sanitised_rflags(frame["rflags"])
    return frame


def _fpu(value: object, where: str) -> str:
    text = _text(value, where, 2 * fxsave.SIZE)
    try:
        size = len(bytes.fromhex(text))
    except ValueError:
        size = -1
    if size != fxsave.SIZE:
        raise _bad(where, value, f"{fxsave.SIZE} bytes in hexadecimal")
    return text


def _mask(value: object, where: str) -> int:
    return _int(value, where) & ~UNBLOCKABLE


def _left(value: object, where: str) -> int | None:
    return None if value is None else _int(value, where, _FOREVER_NS)


def _signal(value: object, where: str) -> int:
    return _int(value, where, _LAST_SIGNAL, 1)


def _pending(value: object, where: str) -> list[list[Any]]:
    def number(each: object, at: str) -> int:
        return _int(each, at, _I32, -_I32 - 1)

    def user(each: object, at: str) -> int:
        return _int(each, at, _U32)

    def value_(each: object, at: str) -> int:
        return _int(each, at, _U64, -_I64 - 1)

    def info(each: object, at: str) -> list[Any]:
        return _row(each, at, _signal, number, number, user, _int, number, value_, raw)

    def raw(each: object, at: str) -> str:
        text = _text(each, at, 256)
        if text and (len(text) != 256 or not set(text) <= set("0123456789abcdef")):
            raise _bad(at, each, "nothing, or 128 bytes in hexadecimal")
        return text

    return _list(value, where, info, _MOST_SIGNALS)


def _thread(value: object, where: str) -> dict[str, Any]:
    found = _dict(value, where, frozenset(_THREAD))
    return {name: check(found[name], f"{where}.{name}") for name, check in _THREAD.items()}


def _signal_stack(value: object, where: str) -> list[Any]:
    return _row(value, where, _user_address, _user_address, _bool)


def _thread_name(value: object, where: str) -> str:
    return _line(value, where, 15)


_THREAD: dict[str, Callable[[Any, str], Any]] = {
    "name": _thread_name,
    "frame": _frame,
    "fs_base": _user_address,
    "gs_base": _user_address,
    "fpu": _fpu,
    "blocked": _mask,
    "left_ns": _left,
    "pending": _pending,
    "signal_stack": _signal_stack,
    "clear_child_tid": _user_address,
    "robust_list": _user_address,
}


def _file(value: object, where: str) -> list[Any]:
    def fd(number: object, at: str) -> int:
        return _int(number, at, FILES_MAX - 1)

    def same(number: object, at: str) -> int | None:
        return None if number is None else fd(number, at)

    def flags(number: object, at: str) -> int:
        return _int(number, at, (1 << 24) - 1) & ~ONCE

    def offset(number: object, at: str) -> int:
        return _int(number, at, _I64)

    return _row(value, where, fd, _path, flags, offset, _bool, same)


def _files(value: object, where: str) -> list[list[Any]]:
    files = _list(value, where, _file, FILES_MAX)
    seen: set[int] = set()
    for index, (fd, *_, same) in enumerate(files):
        if fd in seen or (same is not None and same not in seen):
            raise _bad(
                f"{where}[{index}]", fd, "each descriptor once, shared ones behind their first"
            )
        seen.add(fd)
    return files


def _actions(value: object, where: str) -> dict[str, dict[str, int]]:
    if type(value) is not dict:
        raise _bad(where, value, "actions by number of the signal")
    names = frozenset(field.name for field in fields(SigAction))
    actions = {}
    for number, action in value.items():
        valid = number.isascii() and number.isdigit() and 1 <= int(number[:3]) <= _LAST_SIGNAL
        if not valid or int(number) in {Signal.SIGKILL, Signal.SIGSTOP}:
            raise _bad(where, number, "the number of a signal that can be handled")
        found = _dict(action, f"{where}.{number}", names)
        actions[number] = {name: _int(found[name], f"{where}.{number}.{name}") for name in names}
        actions[number]["mask"] &= ~UNBLOCKABLE
    return actions


def _ids(value: object, where: str) -> list[int]:
    def number(each: object, at: str) -> int:
        return _int(each, at, _NO_ID - 1)

    return _row(value, where, number, number, number)


def _identity(value: object, where: str) -> list[Any]:
    def groups(each: object, at: str) -> list[int]:
        return _list(each, at, lambda one, there: _int(one, there, _NO_ID - 1), _MOST_GROUPS)

    return _row(value, where, _ids, _ids, groups, _bool)


def _alarm(value: object, where: str) -> list[int]:
    def time(each: object, at: str) -> int:
        return _int(each, at, _FOREVER_NS)

    return _row(value, where, time, time)


def _words(value: object, where: str) -> list[str]:
    return _list(value, where, _text, _MOST_WORDS)


_FIELDS: dict[str, Callable[[Any, str], Any]] = {
    "name": _thread_name,
    "arguments": _words,
    "environment": _words,
    "executable": lambda value, where: _path(value, where) if value else "",
    "cwd": _path,
    "umask": _umask,
    "brk": _brk,
    "areas": _areas,
    "threads": lambda value, where: _list(value, where, _thread, _MOST_THREADS, 1),
    "files": _files,
    "actions": _actions,
    "identity": _identity,
    "alarm": _alarm,
    "pending": _pending,
    "resident": lambda value, where: _list(value, where, _page_address, 1 << 22),
}
