"""Options of sockets, those of level SOL_SOCKET.

References
----------
POSIX.1-2024, <sys/socket.h>; Linux, socket(7), include/uapi/asm-generic/socket.h.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.sockets.message import Credentials

if TYPE_CHECKING:
    from pykern.kernel.fs.sockets.socket import Socket

__all__ = ["get_option", "set_option"]

SO_DEBUG, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_DONTROUTE, SO_BROADCAST = range(1, 7)
SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_OOBINLINE, SO_PRIORITY, SO_LINGER = 7, 8, 9, 10, 12, 13
SO_REUSEPORT, SO_PASSCRED, SO_PEERCRED, SO_RCVLOWAT, SO_SNDLOWAT = 15, 16, 17, 18, 19
SO_RCVTIMEO, SO_SNDTIMEO, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN = 20, 21, 30, 38, 39
_FLAGS = {SO_DEBUG, SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE}
_TOLD = {SO_TYPE, SO_ERROR, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN, SO_PEERCRED, SO_SNDLOWAT}
_LEAST_SEND, _LEAST_RECEIVE, _MOST_BUFFER = 4608, 2304, 212992
_INT, _TIMEVAL, _LINGER = struct.Struct("<i"), struct.Struct("<qq"), struct.Struct("<ii")
_US_PER_S, _NS_PER_US = 1_000_000, 1000
_NOBODY = Credentials(0, 0xFFFF_FFFF, 0xFFFF_FFFF)


def get_option(socket: Socket, name: int) -> bytes:
    """Return the value of an option.

    Raises
    ------
    SysError(ENOPROTOOPT) : there is no such option
    """
    if name in {SO_RCVTIMEO, SO_SNDTIMEO}:
        ns = socket.receive_ns if name == SO_RCVTIMEO else socket.send_ns
        return _TIMEVAL.pack(*divmod(ns // _NS_PER_US, _US_PER_S))
    if name == SO_PEERCRED:
        return struct.pack("<iII", *(socket.peer_credentials or _NOBODY))
    if name == SO_LINGER:
        on = SO_LINGER in socket.options
        return _LINGER.pack(int(on), socket.options.get(SO_LINGER, 0))
    return _INT.pack(_number(socket, name))


def _number(socket: Socket, name: int) -> int:
    """Return the value of an option that is an int."""
    if name == SO_ERROR:
        error, socket.error = socket.error, None
        return error or 0
    known = {
        SO_TYPE: socket.kind,
        SO_SNDBUF: socket.send_buffer,
        SO_RCVBUF: socket.receive_buffer,
        SO_PASSCRED: int(socket.passes_credentials),
        SO_RCVLOWAT: socket.options.get(SO_RCVLOWAT, 1),
        SO_SNDLOWAT: 1,
        SO_ACCEPTCONN: int(socket.listening),
        SO_PROTOCOL: 0,
        SO_DOMAIN: 1,
    }
    if name in known:
        return known[name]
    if name in _FLAGS or name in {SO_PRIORITY, SO_REUSEPORT}:
        return socket.options.get(name, 0)
    raise SysError(Errno.ENOPROTOOPT)


def set_option(socket: Socket, name: int, raw: bytes) -> None:
    """Give an option a value; what makes no sense for AF_UNIX is only kept.

    Raises
    ------
    SysError(EINVAL) : the value is too short
    SysError(EDOM) : a time with more than 999999 µs
    SysError(ENOPROTOOPT) : there is no such option, or it cannot be set
    """
    if len(raw) < _INT.size:
        raise SysError(Errno.EINVAL)
    (value,) = _INT.unpack_from(raw)
    if name in _TOLD:
        raise SysError(Errno.ENOPROTOOPT)
    if name in {SO_RCVTIMEO, SO_SNDTIMEO}:
        _set_time(socket, name, raw)
    elif name == SO_LINGER:
        _set_linger(socket, raw)
    elif name == SO_SNDBUF:
        socket.send_buffer = max(min(value & 0x7FFF_FFFF, _MOST_BUFFER) * 2, _LEAST_SEND)
        socket.writable_queue.wake_all()
    elif name == SO_RCVBUF:
        socket.receive_buffer = max(min(value & 0x7FFF_FFFF, _MOST_BUFFER) * 2, _LEAST_RECEIVE)
    elif name == SO_PASSCRED:
        socket.passes_credentials = bool(value)
    elif name in _FLAGS or name in {SO_PRIORITY, SO_REUSEPORT, SO_RCVLOWAT}:
        socket.options[name] = int(bool(value)) if name in _FLAGS else value
    else:
        raise SysError(Errno.ENOPROTOOPT)


def _set_time(socket: Socket, name: int, raw: bytes) -> None:
    if len(raw) < _TIMEVAL.size:
        raise SysError(Errno.EINVAL)
    seconds, us = _TIMEVAL.unpack_from(raw)
    if not 0 <= us < _US_PER_S:
        raise SysError(Errno.EDOM)
    ns = max(seconds, 0) * _US_PER_S * _NS_PER_US + us * _NS_PER_US
    if name == SO_RCVTIMEO:
        socket.receive_ns = ns
    else:
        socket.send_ns = ns


def _set_linger(socket: Socket, raw: bytes) -> None:
    if len(raw) < _LINGER.size:
        raise SysError(Errno.EINVAL)
    on, seconds = _LINGER.unpack_from(raw)
    socket.options.pop(SO_LINGER, None)
    if on:
        socket.options[SO_LINGER] = seconds
