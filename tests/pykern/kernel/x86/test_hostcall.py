"""Marking hosted functions and finding them."""

import pytest

from pykern.kernel.x86.hostcall import bound_methods, hostcall


class One:
    @hostcall
    def first(self):
        return 1

    def other(self):
        return 2


class Two:
    @hostcall
    def second(self):
        return 3

    @hostcall
    def first(self):
        return 4


def test_marked_methods_are_found_bound():
    found = bound_methods([One()])
    assert list(found) == ["first"]
    assert found["first"]() == 1


def test_two_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two hosted functions are named first"):
        bound_methods([One(), Two()])
