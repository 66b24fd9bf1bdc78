"""Whatever a file holds, it is understood or refused with what is wrong and where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.report.data.checking import (
    ReportError,
    items,
    member,
    number,
    parse,
    table,
    text,
    whole,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.binary(max_size=80))
def test_any_bytes_are_json_or_refused(data):
    said = "x: "
    try:
        parse("x", data)
    except ReportError as error:
        said = str(error)
    assert said.startswith("x: ")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"[\xff]", "byte 1 is no UTF-8"),
        (b"{", "no JSON"),
        (b'{"a": NaN}', "NaN is no number"),
        (b"[" * 100_000, "no JSON"),
        (b"9" * 10_000, "no JSON"),
        (b"[\nfoo,\n", "no JSON"),
    ],
)
def test_what_is_no_json_is_told(data, said):
    with pytest.raises(ReportError, match=f"^run: .*{said}"):
        parse("run", data)


@pytest.mark.parametrize("cut", [b'[\n{"a": 1},\n{"a": 2},\n{"b', b'[\n{"a": 1},\n{"a": 2},\n'])
def test_a_list_that_was_cut_off_ends_there(cut):
    assert parse("run", cut) == [{"a": 1}, {"a": 2}]


@given(JSON)
def test_values_are_what_they_are_taken_for(value):
    for take, kind in ((table, dict), (items, list), (number, float), (whole, int), (text, str)):
        said, taken = "there: ", None
        try:
            taken = take(value, "there")
        except ReportError as error:
            said = str(error)
        assert said.startswith("there: ")
        assert isinstance(taken, kind) == (said == "there: ")


@given(st.text())
def test_texts_are_short_and_of_plain_letters(value):
    taken = text(value, "there")
    assert len(taken) <= 40
    assert taken.isascii()
    assert taken.isprintable()


@pytest.mark.parametrize("value", [True, "1", None, -1, 1e16, float("inf"), float("nan"), 10**400])
def test_no_number(value):
    with pytest.raises(ReportError, match=r"^there: .*expected a number"):
        number(value, "there")
    with pytest.raises(ReportError, match=r"^there: .*expected a whole number from 1 to 9"):
        whole(value, "there", 9, 1)


def test_a_member_that_is_missing_is_named():
    assert member({"a": 1}, "a", "event 3") == (1, "event 3, 'a'")
    with pytest.raises(ReportError, match="event 3: no 'b'"):
        member({"a": 1}, "b", "event 3")
    with pytest.raises(ReportError, match="expected a list of 2"):
        items([1], "there", 2)
