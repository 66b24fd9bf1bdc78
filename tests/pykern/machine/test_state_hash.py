"""The hash covers the machine and every value that a device saves."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pykern.machine.state_hash import state_hash


def machine(text):
    return SimpleNamespace(state_hash=lambda: text)


def test_equal_states_have_equal_hashes():
    assert state_hash(machine("a"), {"x": {"r": 1}}) == state_hash(machine("a"), {"x": {"r": 1}})


def test_the_machine_counts():
    assert state_hash(machine("a"), {}) != state_hash(machine("b"), {})


def test_devices_count():
    states = [{}, {"d": {"x": 1}}, {"d": {"x": 2}}, {"d": {"x": b"\1"}}, {"d": {"x": b"\2"}}]
    assert len({state_hash(machine(""), state) for state in states}) == 5


def test_the_order_of_devices_does_not_count():
    assert state_hash(machine(""), {"a": {}, "b": {}}) == state_hash(
        machine(""), {"b": {}, "a": {}}
    )


def test_a_state_that_cannot_be_hashed_is_an_error():
    with pytest.raises(TypeError, match="a device saves object"):
        state_hash(machine(""), {"d": {"x": object()}})
