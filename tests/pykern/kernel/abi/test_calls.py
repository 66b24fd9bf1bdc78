import pytest

from pykern.kernel.abi.calls import Call, parse


def test_a_row_is_number_name_and_arguments():
    assert parse("\n 7 poll fds nfds\n 39 getpid\n") == (
        Call(7, "poll", ("fds", "nfds")),
        Call(39, "getpid", ()),
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1 a\n1 b", "number 1 stands twice"),
        ("1 a\n2 a", "name 'a' stands twice"),
        ("1 a b c d e f g h", "7 arguments"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        parse(rows)
