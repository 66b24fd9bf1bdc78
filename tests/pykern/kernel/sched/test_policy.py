"""The registry of policies."""

from __future__ import annotations

import pytest

from pykern.kernel.core.registry import UnknownNameError
from pykern.kernel.sched.policies import POLICIES


def test_the_registry_lists_them():
    """MEL-11, MEL-54, SCA-05, RMP-10, MYR-16, MIC-01: one policy for each."""
    expected = {"cooperative", "fair", "mlfq", "priority3", "priority128", "realtime", "rr"}
    assert set(POLICIES.names()) == expected


def test_each_cpu_has_its_own():
    for factory in POLICIES:
        assert factory() is not factory()


def test_an_unknown_one_is_told():
    with pytest.raises(UnknownNameError, match="no scheduler policy 'lottery'; registered: "):
        POLICIES.get("lottery")
