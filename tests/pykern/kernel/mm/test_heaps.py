"""MEL-26, SCA-03, SCA-22, RMP-06: every registered kernel heap keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from pykern.kernel.mm.heap import HeapAllocator
from pykern.kernel.mm.heaps import HEAPS
from tests.contracts.heap import HeapContract
from tests.contracts.implementations import implementations

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("name", HEAPS.names())
def test_every_heap_keeps_the_contract(name):
    machine = type(f"Heap_{name}", (HeapContract,), {"name": name})
    run_state_machine_as_test(machine, settings=settings(max_examples=30, stateful_step_count=40))


def test_every_heap_that_there_is_has_a_name():
    """And so a contract: no class that is a heap was forgotten in the registry."""
    assert implementations(HeapAllocator) == set(HEAPS)


def test_a_profile_that_misspells_one_is_told_which_there_are():
    with pytest.raises(
        LookupError, match="no kernel heap 'body'; registered: buddy, first-fit, slab"
    ):
        HEAPS.get("body")


def kinds() -> list[Callable[..., HeapAllocator]]:
    """What mypy checks: all fulfil the protocol."""
    return list(HEAPS)
