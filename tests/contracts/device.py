"""The contract of every device model: what `pykern.machine.device.Device` promises.

A test module inherits `DeviceContract` and gives the fixture `rig`, a function that makes a fresh
device with a clock of its own.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (1, 2, 4, 8)


@dataclass
class Rig:
    """A device ready for a test.

    Attributes
    ----------
    device : the device
    events : its clock, with `now` and `advance(ns)`
    span : bytes of offsets it answers
    watch : further things to compare, such as levels of lines
    """

    device: Any
    events: Any
    span: int
    watch: Callable[[], Any] = lambda: None


def access(span: int) -> st.SearchStrategy[tuple[str, int, int, int]]:
    """Make a read, a write, or a passage of time."""
    return st.tuples(
        st.sampled_from(("read", "write", "write", "wait")),
        st.integers(0, span + 8),
        st.sampled_from(SIZES),
        st.integers(0, (1 << 64) - 1) | st.integers(0, 255),
    )


def perform(rig: Rig, step: tuple[str, int, int, int]) -> int | None:
    """Do one step; return what was read."""
    kind, offset, size, value = step
    if kind == "wait":
        rig.events.advance(value % 50_000_000)
        return None
    if kind == "write":
        rig.device.write(offset, size, value & (1 << 8 * size) - 1)
        return None
    return rig.device.read(offset, size)


def random_steps(rig: Rig, seed: int, count: int) -> list[tuple[str, int, int, int]]:
    """Make steps that mostly hit registers with bytes."""
    choose = random.Random(seed)
    return [
        (
            choose.choice(("read", "write", "write", "wait")),
            choose.randrange(rig.span + 2),
            choose.choice((1, 1, 1, 2, 4, 8)),
            choose.choice((choose.randrange(256), choose.getrandbits(64))),
        )
        for _ in range(count)
    ]


def assert_plain(value: Any) -> None:
    """Check that a state is JSON values, and bytes."""
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        for item in value.values():
            assert_plain(item)
    elif isinstance(value, list):
        for item in value:
            assert_plain(item)
    else:
        assert type(value) in {bytes, int, str, bool, type(None)}, repr(value)


def through_json(state: Any) -> Any:
    """Write a state as a file would and read it back."""
    encoded = json.dumps(state, default=lambda data: {"bytes": data.hex()})
    return json.loads(
        encoded, object_hook=lambda d: bytes.fromhex(d["bytes"]) if set(d) == {"bytes"} else d
    )


class DeviceContract:
    """Tests that every device passes."""

    def test_reset_is_idempotent(self, rig: Callable[[], Rig]) -> None:
        it = rig()
        for step in random_steps(it, 1, 200):
            perform(it, step)
        it.device.reset()
        once, watched = it.device.save(), it.watch()
        it.device.reset()
        assert it.device.save() == once
        assert it.watch() == watched

    def test_save_is_plain_and_load_restores_it(self, rig: Callable[[], Rig]) -> None:
        for seed in range(5):
            it = rig()
            for step in random_steps(it, seed, 300):
                perform(it, step)
            state = it.device.save()
            assert_plain(state)
            other = rig()
            other.events.advance(it.events.now)
            other.device.load(through_json(state))
            assert other.device.save() == state
            assert other.watch() == it.watch()

    def test_saved_and_loaded_twins_go_on_alike(self, rig: Callable[[], Rig]) -> None:
        for seed in range(5):
            it, twin = rig(), rig()
            for step in random_steps(it, seed, 200):
                perform(it, step)
            twin.events.advance(it.events.now)
            twin.device.load(it.device.save())
            for step in random_steps(it, seed + 100, 200):
                assert perform(it, step) == perform(twin, step), step
                assert it.watch() == twin.watch(), step

    def test_saving_does_not_disturb(self, rig: Callable[[], Rig]) -> None:
        it = rig()
        for step in random_steps(it, 3, 200):
            perform(it, step)
        assert it.device.save() == it.device.save()

    def test_a_saved_state_is_a_copy(self, rig: Callable[[], Rig]) -> None:
        it = rig()
        state = it.device.save()
        before = through_json(state)
        for step in random_steps(it, 4, 200):
            perform(it, step)
        assert state == before

    def test_unknown_offsets_read_as_ones_and_ignore_writes(self, rig: Callable[[], Rig]) -> None:
        it = rig()
        before = it.device.save()
        for offset in (it.span, it.span + 1, it.span + 1000, 1 << 40):
            for size in SIZES:
                it.device.write(offset, size, 0)
                assert it.device.read(offset, size) == (1 << 8 * size) - 1, (offset, size)
        assert it.device.save() == before

    def test_every_size_at_every_offset_fits(self, rig: Callable[[], Rig]) -> None:
        it = rig()
        for offset in range(min(it.span, 0x500)):
            for size in SIZES:
                value = it.device.read(offset, size)
                assert type(value) is int
                assert 0 <= value < 1 << 8 * size, (offset, size, value)

    def test_no_guest_access_raises(self, rig: Callable[[], Rig]) -> None:
        span = rig().span

        @settings(
            max_examples=60,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(st.lists(access(span), max_size=60))
        def fuzz(steps: list[tuple[str, int, int, int]]) -> None:
            it = rig()
            for step in steps:
                value = perform(it, step)
                if value is not None:
                    assert 0 <= value < 1 << 8 * step[2], step
            assert_plain(it.device.save())

        fuzz()
