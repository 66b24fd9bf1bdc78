"""Fixtures for devices without a CPU."""

from __future__ import annotations

import pytest

from tests.pykern.machine.fake_machine import FakeEvents, FakeMachine


@pytest.fixture
def events() -> FakeEvents:
    return FakeEvents()


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine()
