"""What all pictures have in common: numbers and units for people."""

import pytest

from pykern.report.drawing import style
from pykern.report.drawing.memory import colours
from pykern.report.drawing.style import Scale, count, grouped, quantity, size_scale, time_scale


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (7, "7"),
        (1234567.4, "1,234,567"),
        (99.94, "99.9"),
        (3.3, "3.30"),
        (0.0107, "0.0107"),
    ],
)
def test_three_digits_count(number, text):
    assert grouped(number) == text


def test_units_are_the_largest_that_fit():
    assert [time_scale(10**n).unit for n in (0, 3, 6, 9, 12)] == ["ns", "µs", "ms", "s", "s"]
    assert [size_scale(1 << n).unit for n in (0, 10, 20, 30)] == ["bytes", "KiB", "MiB", "GiB"]
    assert quantity(3_300_000, time_scale(3_300_000)) == "3.30 ms"
    assert quantity(4096, Scale("KiB", 1024.0)) == "4 KiB"


def test_one_is_not_many():
    assert (count(1, "CPU"), count(2000, "CPU")) == ("1 CPU", "2,000 CPUs")


def test_owners_that_are_no_processes_keep_their_colour():
    some = colours(("kernel heap", "a (1)", "free"))
    more = colours(("page tables", "kernel heap", "b (2)", "c (3)", "free"))
    assert (some[0], some[-1]) == (more[1], more[-1])
    assert len({*more}) == len(more)
    assert len(colours(tuple(f"p ({n})" for n in range(20)))) == 20


def test_a_style_is_left_behind_as_it_was_found():
    with style.styled():
        made = style.figure("$a^2$", 1, 2)
        first = style.png(made)
    with style.styled():
        assert style.png(style.figure("$a^2$", 1, 2)) == first
