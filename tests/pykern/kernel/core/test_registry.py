"""Plug-ins by name."""

from __future__ import annotations

import pytest

from pykern.kernel.core.registry import Registry, UnknownNameError


@pytest.fixture
def shapes() -> Registry[type]:
    registry: Registry[type] = Registry("shape")
    registry.register("square")(int)
    registry.register("circle")(float)
    return registry


def test_members_come_in_order_of_registration(shapes):
    assert list(shapes) == [int, float]
    assert shapes.names() == ("square", "circle")
    assert dict(shapes.items()) == {"square": int, "circle": float}
    assert len(shapes) == 2
    assert "circle" in shapes
    assert "line" not in shapes


def test_the_decorator_returns_what_it_registers(shapes):
    @shapes.register("line")
    class Line:
        pass

    assert shapes.get("line") is Line


def test_an_unknown_name_is_told_with_those_there_are(shapes):
    with pytest.raises(UnknownNameError, match="no shape 'line'; registered: square, circle"):
        shapes.get("line")


def test_a_name_is_taken_once(shapes):
    with pytest.raises(ValueError, match="shape 'square' is registered already"):
        shapes.register("square")(str)
    assert shapes.get("square") is int
