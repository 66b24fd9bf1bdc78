"""The words of requests: hexadecimal numbers, thread ids, lists; anything else is refused."""

from __future__ import annotations

import re

from gdbstub.target import ThreadId

_HEX = re.compile(rb"[0-9a-fA-F]{1,16}\Z")
_PAIRS = re.compile(rb"(?:[0-9a-fA-F]{2})*\Z")

ANY, ALL = 0, -1
"""Numbers in a thread id that mean whichever, and each."""


class RequestError(Exception):
    """A request is not what it should be; nothing has been done. The message says what was found.

    Parameters
    ----------
    message : for gdb 16 and later, which shows it
    number : an errno value for earlier ones
    """

    def __init__(self, message: str, number: int = 22) -> None:
        super().__init__(message)
        self.number = number


def number(text: bytes) -> int:
    """Return a hexadecimal number of at most 64 bits.

    Raises
    ------
    RequestError : it is none
    """
    if not _HEX.match(text):
        raise RequestError(f"{_shown(text)} is not a hexadecimal number")
    return int(text, 16)


def data(text: bytes) -> bytes:
    """Return bytes given as two hexadecimal digits each.

    Raises
    ------
    RequestError : they are not
    """
    if not _PAIRS.match(text):
        raise RequestError(f"{_shown(text)} are not bytes in hexadecimal")
    return bytes.fromhex(text.decode())


def text_of(hexadecimal: bytes) -> str:
    """Return text given as the hexadecimal digits of its UTF-8."""
    return data(hexadecimal).decode("utf-8", "replace")


def fields(text: bytes, count: int, separator: bytes = b",") -> list[bytes]:
    """Split a request into exactly so many parts.

    Raises
    ------
    RequestError : there are more or fewer
    """
    parts = text.split(separator)
    if len(parts) != count:
        raise RequestError(f"{_shown(text)} has {len(parts)} parts, expected {count}")
    return parts


def thread_id(text: bytes) -> ThreadId:
    """Return the meaning of `p1.2`, `p1`, `2`, `-1` or `0`; ALL and ANY stand for themselves.

    Without a process the number is that of a thread of the first one.
    """
    if not text.startswith(b"p"):
        tid = _id(text)
        return ThreadId(tid if tid in {ALL, ANY} else 1, tid)
    pid, dot, tid_text = text[1:].partition(b".")
    return ThreadId(_id(pid), _id(tid_text) if dot else ALL)


def _id(text: bytes) -> int:
    return ALL if text == b"-1" else number(text)


def matches(wanted: ThreadId, thread: ThreadId) -> bool:
    """Tell whether a thread id, which may say ANY or ALL, means a thread."""
    return all(w in {ANY, ALL, t} for w, t in zip(wanted, thread, strict=True))


def _shown(text: bytes) -> str:
    return repr(text[:40].decode("latin-1"))
