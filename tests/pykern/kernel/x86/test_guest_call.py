"""Asking for a function of the image."""

import pytest

from pykern.kernel.x86.guest_call import GuestCall, guest_call


def test_awaiting_yields_the_wish_and_gives_its_answer():
    async def body():
        return await guest_call(0x1234, 5, 6) + 1

    coroutine = body()
    wish = coroutine.send(None)
    assert wish == GuestCall(0x1234, (5, 6))
    with pytest.raises(StopIteration) as end:
        coroutine.send(41)
    assert end.value.value == 42


def test_registers_carry_six_arguments():
    guest_call(0, *range(6))
    with pytest.raises(ValueError, match="7 arguments"):
        guest_call(0, *range(7))
