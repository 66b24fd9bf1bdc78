"""MIC-09: messages to a task by its pid."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.ipc.mailbox import Mailboxes
from pykern.kernel.ipc.port import Message, PortLimits

LIMITS = PortLimits(messages=3, message_size=256)


@pytest.fixture
def boxes():
    counters = SimpleNamespace(ipc_sends=0, ipc_recvs=0, ipc_queue_full=0)
    return Mailboxes(LIMITS, counters)


def received(boxes, pid, capacity=None):
    with pytest.raises(StopIteration) as stopped:
        boxes.receive(pid, capacity).send(None)
    return stopped.value.value


def test_each_task_has_its_own_queue(boxes):
    boxes.send(7, b"one", sender=3)
    boxes.send(8, b"two")
    boxes.send(7, b"three", sender=4)
    assert [received(boxes, 7) for _ in range(2)] == [Message(3, b"one"), Message(4, b"three")]
    assert received(boxes, 8) == Message(0, b"two")
    assert (boxes._counters.ipc_sends, boxes._counters.ipc_recvs) == (3, 3)


@pytest.mark.parametrize(("size", "fits"), [(0, True), (256, True), (257, False)])
def test_a_message_has_256_bytes(boxes, size, fits):
    """MIC-09: 257 are rejected, and nothing is sent."""
    if fits:
        boxes.send(7, bytes(size))
        assert received(boxes, 7).data == bytes(size)
        return
    with pytest.raises(SysError) as caught:
        boxes.send(7, bytes(size))
    assert caught.value.errno == Errno.EMSGSIZE
    assert boxes._counters.ipc_sends == len(boxes) == 0


def test_a_full_queue_is_an_error_at_once(boxes):
    for _ in range(3):
        boxes.send(7, b"x")
    with pytest.raises(SysError) as caught:
        boxes.send(7, b"x")
    assert caught.value.errno == Errno.EAGAIN
    assert boxes._counters.ipc_queue_full == 1


def test_what_does_not_fit_stays(boxes):
    boxes.send(7, b"four")
    with pytest.raises(SysError) as caught:
        boxes.receive(7, 3).send(None)
    assert caught.value.errno == Errno.EMSGSIZE
    assert received(boxes, 7, 4).data == b"four"


def test_a_receiver_waits_and_is_handed_the_message(boxes):
    waiting = boxes.receive(7)
    wait = waiting.send(None)
    woken = []
    wait.on_wake = woken.append
    boxes.send(7, b"late")
    assert woken
    with pytest.raises(StopIteration) as stopped:
        waiting.send(woken[0])
    assert stopped.value.value.data == b"late"


def test_a_task_that_ends_leaves_nothing(boxes):
    boxes.send(7, b"x")
    boxes.release(7)
    boxes.release(7)
    assert len(boxes) == 0
    boxes.send(7, b"for the next one")
    assert received(boxes, 7).data == b"for the next one"
