"""Functions of every kind, for the tests of tracing: none of the kernel's."""

from __future__ import annotations

from pykern.kernel.core.wait import Wait


def plain(n):
    total = 0
    for i in range(n):
        total += double(i)
    return total


def double(i):
    twice = i * 2
    return twice


def closure(n):
    def inner(i):
        return i + n

    return [inner(i) for i in range(n)]


def generator(n):
    for i in range(n):
        yield -i


def uses_generator(n):
    total = 0
    for i in generator(n):
        total += i
    return total


def catches():
    try:
        fails()
    except ValueError:
        return 1
    finally:
        double(0)
    return 0


def fails():
    raise ValueError


@staticmethod
def decorated(
    a,
    *rest,
    key=None,
    **more,
):
    """Say nothing."""
    return a, rest, key, more


class Thing:
    """Has methods."""

    def method(self):
        return (lambda x: x + 1)(1)

    async def sleeps(self, wait):
        before = 1
        result = await wait
        return before, result

    async def outer(self, wait):
        value = await self.sleeps(wait)
        return value


def new_wait():
    return Wait(())
