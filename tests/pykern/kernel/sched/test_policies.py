"""Every registered policy keeps the contract."""

from __future__ import annotations

import pytest

from pykern.kernel.sched import POLICIES
from tests.contracts.policy import SLICE_NS, PolicyContract


def test_the_registry_lists_them():
    """MEL-11, MEL-54, SCA-05, RMP-10, MYR-16, MIC-01: one policy for each."""
    expected = {"cooperative", "fair", "mlfq", "priority3", "priority128", "realtime", "rr"}
    assert set(POLICIES.names()) == expected


TRAITS = {
    # Slices are up to 40 ms here, and each of the four seconds begins with a boost, which cuts a
    # round short.
    "mlfq": {"unfairness_ns": 4 * 4 * SLICE_NS},
    "cooperative": {"preemptive": False},
}
"""What is not as the contract has it unless said; a policy that is not here keeps all of it."""


def _contract_of(name: str) -> type[PolicyContract]:
    factory = pytest.fixture(lambda _self: POLICIES.get(name))
    return type(f"Test_{name}", (PolicyContract,), {"factory": factory, **TRAITS.get(name, {})})


for _name in POLICIES.names():
    globals()[f"Test_{_name}"] = _contract_of(_name)


def test_every_policy_is_tested_here():
    tested = {kind.__name__ for kind in PolicyContract.__subclasses__()}
    assert {f"Test_{name}" for name in POLICIES.names()} <= tested
    assert TRAITS.keys() <= set(POLICIES.names())
