"""Ports as MelloOS has them (MEL-13), their costs (MEL-40), and what others may ask of them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import Interrupted, wait_any
from pykern.kernel.ipc.port import Message, PortLimits, PortTable
from pykern.kernel.sched.metrics import Metrics
from tests.call_count import calls_of
from tests.contracts.waitqueue import WaitQueueContract
from tests.virtual_time import Runner, run


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def ports(metrics) -> PortTable:
    table = PortTable(PortLimits(), metrics)
    for _ in range(16):
        table.create()
    return table


@pytest.fixture
def runner() -> Runner:
    return Runner()


class TestReceive(WaitQueueContract):
    """A message is a wake-up that keeps."""

    banks = True

    @pytest.fixture
    def rig(self):
        def make():
            table = PortTable(PortLimits(messages=1000), Metrics())
            port = table.get(table.create())

            async def wait(*, killable=False, deadline_ns=None):
                message = await port.get(64, deadline_ns, killable=killable)
                return message is not None

            return wait, lambda: table.send(0, b"x"), port.readable.__len__

        return make


def _fails(errno: Errno, call) -> str:
    with pytest.raises(SysError) as caught:
        call()
    assert caught.value.errno is errno
    return str(caught.value)


# --- limits --------------------------------------------------------------------------------------


def test_the_17th_message_is_refused_and_counted(ports, metrics):
    """MEL-13: 16 messages; ipc_queue_full."""
    for number in range(16):
        ports.send(2, bytes([number]))
    text = _fails(Errno.EAGAIN, lambda: ports.send(2, b"one too many"))
    assert "port 2 holds 16 messages" in text
    assert (metrics.ipc_sends, metrics.ipc_queue_full) == (16, 1)
    assert [ports.try_receive(2).data[0] for _ in range(16)] == list(range(16))
    assert ports.try_receive(2) is None
    assert metrics.ipc_recvs == 16


def test_messages_up_to_4096_bytes(ports, metrics):
    """MEL-13: 4097 B rejected."""
    ports.send(0, bytes(4096))
    assert "4097 bytes, at most 4096" in _fails(Errno.EMSGSIZE, lambda: ports.send(0, bytes(4097)))
    assert metrics.ipc_sends == 1
    assert metrics.ipc_queue_full == 0


@pytest.mark.parametrize("number", [-1, 256, 1 << 40])
def test_there_are_ports_0_to_255(ports, number):
    """MEL-13: port 256 rejected."""
    assert "expected 0 to 255" in _fails(Errno.EINVAL, lambda: ports.send(number, b""))
    _fails(Errno.EINVAL, lambda: run(ports.receive(number)))
    _fails(Errno.EINVAL, lambda: ports.create(number))


def test_all_256_ports_can_be_made(metrics):
    table = PortTable(PortLimits(), metrics)
    assert [table.create() for _ in range(256)] == list(range(256))
    _fails(Errno.ENOSPC, table.create)
    table.close(77)
    assert table.create() == 77


def test_a_port_is_made_once(ports):
    assert "port 3 exists" in _fails(Errno.EEXIST, lambda: ports.create(3))
    assert "port 99 was not created" in _fails(Errno.ENOENT, lambda: ports.send(99, b""))


def test_other_profiles_have_other_limits(metrics):
    """MIC-09: at most 256 bytes."""
    table = PortTable(PortLimits(ports=2, messages=1, message_size=256), metrics)
    table.create(1)
    _fails(Errno.EMSGSIZE, lambda: table.send(1, bytes(257)))
    table.send(1, bytes(256))
    _fails(Errno.EAGAIN, lambda: table.send(1, b""))
    _fails(Errno.EINVAL, lambda: table.create(2))


# --- delivery ------------------------------------------------------------------------------------


def test_two_waiters_get_messages_in_the_order_they_came(ports, runner):
    """MEL-13: FIFO wake, whoever gets a CPU first."""
    first, second = runner.spawn(ports.receive(1)), runner.spawn(ports.receive(1))
    runner.settle()
    ports.send(1, b"a", sender=7)
    ports.send(1, b"b", sender=8)
    runner.ready.reverse()
    runner.settle()
    assert first.result == Message(7, b"a")
    assert second.result == Message(8, b"b")


def test_a_newcomer_does_not_take_the_message_of_who_waited(ports, runner):
    waiter = runner.spawn(ports.receive(1))
    runner.settle()
    ports.send(1, b"a")
    assert ports.try_receive(1) is None
    runner.settle()
    assert waiter.result.data == b"a"


def test_the_message_is_a_copy(ports):
    data = bytearray(b"ping")
    ports.send(2, data)
    data[:] = b"pong"
    assert ports.try_receive(2).data == b"ping"
    assert type(data) is bytearray


def test_an_empty_message_is_a_message(ports):
    ports.send(2, b"")
    assert run(ports.receive(2)) == Message(0, b"")


def test_100_round_trips(ports, runner, metrics):
    """MEL-42, 7.5: IPC stress, 100 ping-pong."""
    heard = []

    async def ping():
        for number in range(100):
            ports.send(2, b"ping%d" % number)
            heard.append((await ports.receive(1)).data)

    async def pong():
        for _ in range(100):
            ports.send(1, (await ports.receive(2)).data.replace(b"i", b"o"))

    runner.spawn(ping())
    runner.spawn(pong())
    runner.run()
    assert heard == [b"pong%d" % number for number in range(100)]
    assert (metrics.ipc_sends, metrics.ipc_recvs, metrics.ipc_queue_full) == (200, 200, 0)


def test_a_message_longer_than_the_buffer_stays(ports, runner):
    ports.send(1, b"12345")
    text = _fails(Errno.EMSGSIZE, lambda: run(ports.receive(1, 4)))
    assert "5 bytes, room for 4" in text
    assert run(ports.receive(1, 5)).data == b"12345"


def test_a_message_longer_than_the_buffer_goes_to_the_next_in_line(ports, runner, metrics):
    small, large = runner.spawn(ports.receive(1, 2)), runner.spawn(ports.receive(1, 9))
    runner.settle()
    ports.send(1, b"12345")
    runner.run()
    assert isinstance(small.error, SysError)
    assert large.result.data == b"12345"
    assert metrics.ipc_recvs == 1


def test_a_receive_gives_up_at_its_deadline(ports, runner):
    task = runner.spawn(ports.receive(1, deadline_ns=500))
    runner.run()
    assert task.error.errno is Errno.ETIMEDOUT
    assert runner.clock.now_ns == 500


def test_no_operation_costs_more_where_there_is_more(metrics):
    """MEL-40: send is O(1) to queue and O(1) to wake, receive is O(1)."""

    def costs(queued: int, waiting: int) -> list[int]:
        table = PortTable(PortLimits(messages=2000), metrics)
        port, busy = table.create(), table.create()
        runner = Runner()
        for _ in range(waiting):
            runner.spawn(table.receive(port))
        runner.settle()
        for _ in range(queued):
            table.send(busy, b"x")
        return [
            calls_of(lambda: table.send(busy, b"x")),
            calls_of(lambda: table.try_receive(busy)),
            calls_of(lambda: table.send(port, b"x")),
        ]

    assert costs(queued=1, waiting=1) == costs(queued=1000, waiting=1000)


# --- the end of tasks and ports ------------------------------------------------------------------


def test_an_interrupted_receive_takes_no_message(ports, runner):
    task = runner.spawn(ports.receive(1))
    runner.settle()
    runner.interrupt(task)
    ports.send(1, b"kept")
    runner.run()
    assert isinstance(task.error, Interrupted)
    assert ports.try_receive(1).data == b"kept"


def test_a_message_handed_to_a_task_that_is_destroyed_is_not_lost(ports, runner):
    doomed = runner.spawn(ports.receive(1))
    runner.settle()
    ports.send(1, b"1")
    ports.send(1, b"2")
    runner.kill(doomed)
    assert [ports.try_receive(1).data for _ in range(2)] == [b"1", b"2"]


def test_a_closed_port_turns_its_receivers_away(ports, runner):
    tasks = [runner.spawn(ports.receive(5)) for _ in range(3)]
    runner.settle()
    ports.close(5)
    runner.run()
    assert [task.error.errno for task in tasks] == [Errno.EIDRM] * 3
    _fails(Errno.ENOENT, lambda: ports.send(5, b""))


def test_a_message_handed_over_before_the_close_is_delivered(ports, runner):
    task = runner.spawn(ports.receive(5))
    runner.settle()
    ports.send(5, b"last")
    ports.close(5)
    runner.run()
    assert task.result.data == b"last"


def test_the_ports_of_a_process_end_with_it(ports, runner):
    mine = [ports.create(owner=42) for _ in range(3)]
    ports.create(owner=43)
    task = runner.spawn(ports.receive(mine[0]))
    runner.settle()
    assert ports.release(42) == 3
    runner.run()
    assert task.error.errno is Errno.EIDRM
    assert ports.create() == mine[0]


def test_polling_sees_a_message_and_leaves_it(ports, runner):
    task = runner.spawn(wait_any([ports.get(1).readable, ports.get(2).readable]))
    runner.settle()
    ports.send(2, b"x")
    runner.run()
    assert task.result is True
    assert len(ports.get(2)) == 1


def test_statistics(ports, runner):
    runner.spawn(ports.receive(0))
    runner.settle()
    for _ in range(3):
        ports.send(0, b"x")
    ports.try_receive(0)
    figures = ports.statistics()[0]
    assert figures._asdict() == {
        "number": 0,
        "owner": None,
        "queued": 1,
        "waiting": 0,
        "sent": 3,
        "received": 1,
        "refused": 0,
        "deepest": 2,
    }
    runner.run()
    assert ports.statistics()[0].received == 2
    assert len(ports.statistics()) == 16


@given(st.lists(st.sampled_from("srRkx"), max_size=60))
def test_every_message_is_received_once_and_in_order(steps):
    """Whatever receivers do, what went in comes out: once, in order, or is still queued."""
    metrics = Metrics()
    table = PortTable(PortLimits(messages=4), metrics)
    table.create()
    runner = Runner()
    sent, taken = [], []

    async def receiver():
        taken.append((await table.receive(0)).data)

    for number, step in enumerate(steps):
        if step == "s":
            with suppress(SysError):  # full
                table.send(0, b"%d" % number)
                sent.append(b"%d" % number)
        elif step == "r":
            runner.spawn(receiver())
        elif step == "R":
            runner.settle()
        elif step == "k" and runner.sleepers():
            runner.kill(runner.sleepers()[0])
        elif step == "x" and runner.sleepers():
            runner.interrupt(runner.sleepers()[-1])
    runner.settle()
    while (message := table.try_receive(0)) is not None:
        taken.append(message.data)
    assert sorted(taken) == sorted(sent)
    assert metrics.ipc_sends == metrics.ipc_recvs == len(sent)
