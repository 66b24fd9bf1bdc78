"""System calls that Scarlett OS has and Linux has not (SCA-12)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pykern.kernel.core.clock import NS_PER_MS
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import sleep_until
from pykern.kernel.ipc.capabilities import Right
from pykern.kernel.ipc.message import INLINE_SIZE, IPC_MESSAGE, IpcMessage
from pykern.kernel.mm.vma import MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE
from pykern.kernel.syscalls.arguments import Int, Size, UserPtr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.x86.trapframe import new_user_frame

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from construct import Container

    from pykern.kernel.mm.user import UserBuffer
    from pykern.kernel.task.thread import UserThread

USER_STACK = 64 * 1024
"""Bytes of the stack of a thread that a program makes."""
_NAME_LENGTH = 32
_SLEEP_LIMIT_MS = 1 << 40


@syscall
async def sleep_ms(thread: UserThread, ms: Size) -> int:
    """Sleep, by the timer of the processor and not by ticks (SCA-25)."""
    if ms > _SLEEP_LIMIT_MS:
        raise SysError(Errno.EINVAL)
    await sleep_until(thread.system.clock.now_ns + ms * NS_PER_MS)
    return 0


@syscall
def thread_create(
    thread: UserThread, entry: UserPtr, arg: UserPtr, priority: Int, name: UserPtr
) -> int:
    """Make a thread of the process, on a stack of its own; return its tid."""
    system, process = thread.system, thread.process
    text = process.space.read_cstring(name, _NAME_LENGTH) if name else thread.name.encode()
    stack = process.space.mmap(
        None, USER_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, name="[stack]"
    )
    made = system.processes.new_thread(process, text.decode("utf-8", "replace"))
    made.priority = priority
    # As behind a CALL, with 0 as the return address.
    frame = new_user_frame(entry, stack + USER_STACK - 8)
    made.frame.write({**frame, "rdi": arg})
    try:
        system.scheduler.add(made)
    except ValueError as error:  # a priority that the policy has not
        _undo(thread, made, stack)
        raise SysError(Errno.EINVAL, str(error)) from None
    return made.tid


def _undo(thread: UserThread, made: UserThread, stack: int) -> None:
    """Take back a thread that was never scheduled."""
    system = thread.system
    thread.process.threads.remove(made)
    del system.threads.by_tid[made.tid]
    system.stacks.free(made.stack)
    thread.process.space.munmap(stack, USER_STACK)


# -- messages


def _read_message(thread: UserThread, uaddr: int) -> IpcMessage:
    """Return a message of a program: inline, or what its buffer holds."""
    space, largest = thread.process.space, thread.system.messages.largest
    raw = IPC_MESSAGE.parse(space.copy_in(uaddr, IPC_MESSAGE.sizeof()))
    if not raw.buffer:
        return IpcMessage(raw.inline_data, raw.type, raw.msg_id)
    if raw.buffer_size > largest:
        raise SysError(Errno.EMSGSIZE, f"{raw.buffer_size} bytes, at most {largest}")
    return IpcMessage(space.copy_in(raw.buffer, raw.buffer_size), raw.type, raw.msg_id)


class _Destination:
    """Where in user memory a message goes; pinned first, so that none is taken and then lost."""

    def __init__(self, fields: UserBuffer, large: UserBuffer | None, raw: Container) -> None:
        self._fields, self._large, self._raw = fields, large, raw

    @property
    def room(self) -> int:
        """Bytes that a message without a buffer of its own may not have."""
        return int(self._raw.buffer_size) if self._large is not None else 0

    def put(self, message: IpcMessage) -> int:
        """Give the message to the program: inline where it fits; return its bytes."""
        raw = self._raw
        if not message.inline and len(message.data) > self.room:
            raise SysError(Errno.EMSGSIZE)
        raw.sender_tid, raw.msg_id, raw.type = message.sender_tid, message.msg_id, message.type
        if message.inline:
            raw.inline_data = message.data.ljust(INLINE_SIZE, b"\0")
            raw.buffer_size = 0
        elif self._large is not None:
            self._large.put(message.data)
            raw.buffer_size = len(message.data)
        self._fields.put(IPC_MESSAGE.build(raw))
        return len(message.data)


@asynccontextmanager
async def _destination(thread: UserThread, uaddr: int) -> AsyncGenerator[_Destination, None]:
    """Pin where a message goes."""
    space, size = thread.process.space, IPC_MESSAGE.sizeof()
    raw = IPC_MESSAGE.parse(space.copy_in(uaddr, size))
    fields, large = await space.pin(uaddr, size, write=True), None
    try:
        if raw.buffer:
            room = min(raw.buffer_size, thread.system.messages.largest)
            large = await space.pin(raw.buffer, room, write=True)
        yield _Destination(fields, large, raw)
    finally:
        fields.release()
        if large is not None:
            large.release()


@syscall
async def ipc_send_message(thread: UserThread, port: Int, message: UserPtr) -> int:
    """Send a message, waiting while the port is full."""
    system = thread.system
    system.capabilities.require(thread.process.pid, port, Right.SEND)
    await system.messages.ipc_send(port, _read_message(thread, message), thread.tid)
    return 0


@syscall
async def ipc_receive_message(thread: UserThread, port: Int, message: UserPtr) -> int:
    """Take the oldest message, waiting for one; return its bytes."""
    system = thread.system
    system.capabilities.require(thread.process.pid, port, Right.RECEIVE)
    async with _destination(thread, message) as place:
        return place.put(await system.messages.ipc_receive(port, place.room))


@syscall
async def ipc_try_receive(thread: UserThread, port: Int, message: UserPtr) -> int:
    """Take the oldest message; EAGAIN: there is none."""
    system = thread.system
    system.capabilities.require(thread.process.pid, port, Right.RECEIVE)
    async with _destination(thread, message) as place:
        found = system.messages.ipc_try_receive(port, place.room)
        if found is None:
            raise SysError(Errno.EAGAIN)
        return place.put(found)


@syscall
async def ipc_call(thread: UserThread, port: Int, request: UserPtr, response: UserPtr) -> int:
    """Send a request and wait for its reply; return the reply's bytes."""
    system = thread.system
    system.capabilities.require(thread.process.pid, port, Right.SEND)
    asked = _read_message(thread, request)
    async with _destination(thread, response) as place:
        return place.put(await system.messages.ipc_call(port, asked, thread.tid))


@syscall
def ipc_reply(thread: UserThread, msg_id: Size, message: UserPtr) -> int:
    """Answer a request that was received; whoever may receive from the port may answer."""
    system, answer = thread.system, _read_message(thread, message)
    port = system.messages.request_port(msg_id)
    if port is None:
        raise SysError(Errno.ESRCH)
    system.capabilities.require(thread.process.pid, port, Right.RECEIVE)
    system.messages.ipc_reply(msg_id, answer.data, thread.tid)
    return 0


@syscall
def ipc_grant(thread: UserThread, port: Int, pid: Int, rights: Int) -> int:
    """Give rights on a port to another process (SCA-24)."""
    system = thread.system
    if not 0 < rights <= Right.everything():
        raise SysError(Errno.EINVAL)
    system.ports.get(port)
    system.processes.get(pid)
    system.capabilities.grant(thread.process.pid, pid, port, Right(rights))
    return 0
