"""Messages with a structure, on a Scarlett kernel."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.integration.scarlett import ThreadState, tcb
from pykern.kernel.ipc.message import IPC_MESSAGE, IpcMessage, MessageType


def test_the_message_structure():
    """SCA-09: sender_tid, msg_id, type, 64 bytes inline, a buffer and its size."""
    raw = IPC_MESSAGE.build(
        {
            "sender_tid": 1,
            "msg_id": 2,
            "type": MessageType.DATA,
            "inline_data": b"x" * 64,
            "buffer": 3,
            "buffer_size": 4,
        }
    )
    assert len(raw) == 104
    assert (raw[0], raw[8], raw[16:20]) == (1, 2, b"\1\0\0\0")
    assert (raw[20:84], raw[88], raw[96]) == (b"x" * 64, 3, 4)


def test_ipc(run_in_scarlett):
    """SCA-08, SCA-10, SCA-19: create, send, receive, try_receive; receiving blocks."""
    got = []

    async def body(story):
        messages = story.kernel.messages
        port = messages.ipc_create_port()
        assert messages.ipc_try_receive(port) is None

        async def receive(_arg):
            got.append(await messages.ipc_receive(port))

        tid = story.threads.thread_create(receive, None, 64, "receiver")
        await story.threads.thread_sleep(1)
        assert tcb(story.kernel.threads.by_tid[tid]).state is ThreadState.BLOCKED
        await messages.ipc_send(port, IpcMessage(b"hello", 5), sender=9)
        await story.threads.thread_join(tid)
        await messages.ipc_send(port, IpcMessage(bytes(1000)))
        got.append(messages.ipc_try_receive(port))

    run_in_scarlett(body)
    assert (got[0].data, got[0].type, got[0].sender_tid) == (b"hello", 5, 9)
    assert got[0].inline
    assert not got[1].inline
    assert got[1].data == bytes(1000)


def test_a_sender_waits_for_room(run_in_scarlett):
    """SCA-08: sending is synchronous: the 17th message waits until there is room for it."""
    got = []

    async def body(story):
        messages = story.kernel.messages
        port = messages.ipc_create_port()

        async def send(_arg):
            for number in range(20):
                await messages.ipc_send(port, IpcMessage(bytes([number])))

        tid = story.threads.thread_create(send, None, 64, "sender")
        await story.threads.thread_sleep(1)
        assert tcb(story.kernel.threads.by_tid[tid]).state is ThreadState.BLOCKED
        got.extend([(await messages.ipc_receive(port)).data[0] for _ in range(20)])
        await story.threads.thread_join(tid)

    run_in_scarlett(body)
    assert got == list(range(20))


def test_call_and_reply(run_in_scarlett):
    """SCA-08, SCA-10: each caller gets the answer to its own request, whatever the order."""
    got = []

    async def body(story):
        messages = story.kernel.messages
        port = messages.ipc_create_port()

        async def call(number):
            reply = await messages.ipc_call(port, IpcMessage(bytes([number])))
            got.append((number, reply.data, reply.type))

        tids = [story.threads.thread_create(call, n, 64, f"c{n}") for n in range(3)]
        requests = [await messages.ipc_receive(port) for _ in tids]
        for request in reversed(requests):
            messages.ipc_reply(request.msg_id, request.data * 2)
        for tid in tids:
            await story.threads.thread_join(tid)
        with pytest.raises(SysError, match="waits for a reply"):
            messages.ipc_reply(requests[0].msg_id, b"")

    run_in_scarlett(body)
    assert sorted(got) == [(n, bytes([n, n]), MessageType.REPLY) for n in range(3)]


def test_a_call_to_a_port_that_is_closed_fails(run_in_scarlett):
    """SCA-08."""
    got = []

    async def body(story):
        messages = story.kernel.messages
        port = messages.ipc_create_port()

        async def call(_arg):
            with pytest.raises(SysError) as failed:
                await messages.ipc_call(port, IpcMessage(b""))
            got.append(failed.value.errno)

        tid = story.threads.thread_create(call, None, 64, "caller")
        await story.threads.thread_sleep(1)
        story.kernel.ports.close(port)
        await story.threads.thread_join(tid)

    run_in_scarlett(body)
    assert got == [Errno.EPIPE]
