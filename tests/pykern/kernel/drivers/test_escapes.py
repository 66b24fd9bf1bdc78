"""Control sequences: how text is cut into them, and what they say of colours."""

from __future__ import annotations

import pytest

from pykern.kernel.drivers.escapes import TOKENS, UNFINISHED, Pen, numbers


def test_text_is_cut_into_runs_controls_and_sequences():
    found = [
        (t["text"], t["control"], t["final"])
        for t in TOKENS.finditer("ab\r\n\x1b[1;31mc\x1b[?25l\x1bMd")
    ]
    assert found == [
        ("ab", None, None),
        (None, "\r", None),
        (None, "\n", None),
        (None, None, "m"),
        ("c", None, None),
        (None, None, "l"),
        (None, None, None),
        ("d", None, None),
    ]


@pytest.mark.parametrize(
    ("text", "numbers_"),
    [
        ("", []),
        ("5", [5]),
        (";3", [0, 3]),
        ("?25", [25]),
        ("1;x", [1, 0]),
        ("9" * 5000, [999_999_999]),
    ],
)
def test_numbers_of_a_sequence(text, numbers_):
    """A program may write any number of digits; Python makes no integer of more than 4,300."""
    assert numbers(text) == numbers_


@pytest.mark.parametrize("text", ["\x1b", "x\x1b[", "\x1b[12;"])
def test_a_sequence_that_has_not_ended_is_noticed(text):
    assert UNFINISHED.search(text)
    assert not UNFINISHED.search(f"{text}[H" if text == "\x1b" else f"{text}H")


@pytest.mark.parametrize(
    ("parameters", "colours"),
    [
        ([], (7, 0)),
        ([31], (1, 0)),
        ([31, 1], (9, 0)),
        ([31, 1, 22], (1, 0)),
        ([33, 44], (3, 4)),
        ([94, 101], (12, 9)),
        ([7], (0, 7)),
        ([7, 27], (7, 0)),
        ([31, 42, 39, 49], (7, 0)),
        ([31, 42, 1, 7, 0], (7, 0)),
        ([38, 58], (7, 0)),
    ],
)
def test_colours(parameters, colours):
    pen = Pen()
    pen.select(parameters)
    assert pen.colours() == colours
