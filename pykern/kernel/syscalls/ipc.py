"""IPC ports (MEL-12, MEL-13), and the kernel's counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.ipc.capabilities import KERNEL, Right
from pykern.kernel.syscalls.arguments import Int, Long, Size, UserPtr
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread


@syscall
def ipc_port_create(thread: UserThread, flags: Int) -> int:
    """Make a port that is closed when the process ends."""
    if flags:
        raise SysError(Errno.EINVAL)
    return create_port(thread)


def create_port(thread: UserThread) -> int:
    """Make a port that the calling process owns, and may do everything with."""
    system, pid = thread.system, thread.process.pid
    port = system.ports.create(owner=pid)
    system.capabilities.grant(KERNEL, pid, port, Right.everything())
    return port


@syscall
def ipc_port_close(thread: UserThread, port: Int) -> int:
    """Close a port of one's own."""
    if thread.system.ports.get(port).owner != thread.process.pid:
        raise SysError(Errno.EPERM)
    thread.system.ports.close(port)
    return 0


@syscall
def ipc_send(thread: UserThread, port: Int, buf: UserPtr, len_: Size) -> int:
    """Send a message; a full queue is an error at once."""
    system = thread.system
    system.capabilities.require(thread.process.pid, port, Right.SEND)
    if len_ > system.ports.limits.message_size:
        raise SysError(Errno.EMSGSIZE)
    system.ports.send(port, thread.process.space.copy_in(buf, len_), sender=thread.tid)
    return 0


@syscall
async def ipc_recv(thread: UserThread, port: Int, buf: UserPtr, len_: Size) -> int:
    """Take the oldest message of a port, waiting for one; return its size."""
    return await _receive(thread, port, buf, len_, None)


@syscall
async def ipc_receive(
    thread: UserThread, port: Int, buf: UserPtr, len_: Size, timeout_ns: Long
) -> int:
    """Take the oldest message of a port, waiting for one at most so long; negative: for ever."""
    deadline = thread.system.clock.now_ns + timeout_ns if timeout_ns >= 0 else None
    return await _receive(thread, port, buf, len_, deadline)


async def _receive(thread: UserThread, port: int, buf: int, size: int, deadline: int | None) -> int:
    system = thread.system
    system.capabilities.require(thread.process.pid, port, Right.RECEIVE)
    room = min(size, system.ports.limits.message_size)
    buffer = await thread.process.space.pin(buf, room, write=True)
    try:
        message = await system.ports.receive(port, room, deadline_ns=deadline)
        buffer.put(message.data)
        return len(message.data)
    finally:
        buffer.release()


@syscall
def metrics(thread: UserThread, buf: UserPtr, len_: Size) -> int:
    """Write the kernel's counters as text, `name value` in each line; return its bytes."""
    text = thread.system.metrics.text().encode()[:len_]
    thread.process.space.copy_out(buf, text)
    return len(text)
