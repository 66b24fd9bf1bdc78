"""The generator of large code."""

from __future__ import annotations

import re

from pykern.bench import functions


def test_equal_seeds_give_equal_text() -> None:
    assert functions.assembly(50, 1) == functions.assembly(50, 1)
    assert functions.assembly(50, 1) != functions.assembly(50, 2)


def test_every_function_is_defined_and_in_the_table() -> None:
    text = functions.assembly(80, 3)
    defined = re.findall(r"^f(\d+):$", text, re.MULTILINE)
    table = re.findall(r"^\.quad f(\d+)$", text, re.MULTILINE)
    assert defined == table == [str(number) for number in range(80)]


def test_calls_go_upwards_so_that_they_end() -> None:
    number = -1
    calls = 0
    for line in functions.assembly(200, 4).splitlines():
        if label := re.fullmatch(r"f(\d+):", line):
            number = int(label[1])
        if call := re.fullmatch(r"call f(\d+)", line):
            calls += 1
            assert int(call[1]) > number
    assert calls


def test_every_branch_has_its_label_in_the_same_function() -> None:
    for body in re.split(r"^f\d+:$", functions.assembly(200, 5), flags=re.MULTILINE)[1:]:
        assert len(re.findall(r"\bj\w+ 1f", body)) == body.count("1:")
