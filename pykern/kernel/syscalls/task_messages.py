"""Messages from task to task by pid (MIC-09), and sleep by the millisecond."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.wait import sleep_until
from pykern.kernel.syscalls.arguments import Int, Size, UInt, UserPtr
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread

_NS_PER_MS = 1_000_000


@syscall
def task_send(thread: UserThread, pid: Int, buf: UserPtr, len_: Size) -> int:
    """Send a message to a process; ESRCH: there is none, EMSGSIZE, EAGAIN: its queue is full."""
    system = thread.system
    system.mailboxes.check_size(len_)
    system.processes.get(pid)
    data = thread.process.space.copy_in(buf, len_)
    system.mailboxes.send(pid, data, sender=thread.process.pid)
    return 0


@syscall
async def task_recv(thread: UserThread, buf: UserPtr, len_: Size) -> int:
    """Take one's oldest message, waiting for one; return its size."""
    boxes = thread.system.mailboxes
    room = min(len_, boxes.limits.message_size)
    buffer = await thread.process.space.pin(buf, room, write=True)
    try:
        message = await boxes.receive(thread.process.pid, room)
        buffer.put(message.data)
        return len(message.data)
    finally:
        buffer.release()


@syscall
async def task_sleep(thread: UserThread, ms: UInt) -> int:
    """Sleep for milliseconds."""
    await sleep_until(thread.system.clock.now_ns + ms * _NS_PER_MS)
    return 0
