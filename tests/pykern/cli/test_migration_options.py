"""The grammar of what comes and goes."""

from __future__ import annotations

import pytest

from gdbstub import Address
from pykern.cli import arguments, migration_options
from pykern.cli.migration_options import Departure, parse_departure, parse_place


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp:4444", Address("127.0.0.1", 4444)),
        ("tcp::4444", Address("127.0.0.1", 4444)),
        ("tcp:127.0.0.1:4444", Address("127.0.0.1", 4444)),
        ("tcp:localhost:0", Address("127.0.0.1", 0)),
        ("tcp:[::1]:4444", Address("::1", 4444)),
        ("unix:/tmp/door", Address(path="/tmp/door")),
        ("tcp:10.0.0.2:4444,remote", Address("10.0.0.2", 4444)),
    ],
)
def test_a_place(text, address):
    assert parse_place(text) == address


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("tcp:10.0.0.2:4444", "not of this host alone; tcp:10.0.0.2:4444,remote"),
        ("tcp:0.0.0.0:4444", "not of this host alone"),
        ("tcp:[::]:4444", "not of this host alone"),
        ("tcp:host.example:1", "neither an IP address"),
        ("tcp:99999", "expected :PORT"),
        ("exec:cat", "expected :PORT"),
    ],
)
def test_no_place(text, what):
    """Nobody but this host is let in, or reached, by accident."""
    with pytest.raises(ValueError, match=what.replace("[", r"\[")):
        parse_place(text)


def test_a_departure():
    assert parse_departure("count@1.5:tcp:127.0.0.1:1") == Departure(
        "count", 1_500_000_000, "tcp:127.0.0.1:1"
    )
    assert parse_departure("12@0:/tmp/a:b").where == "/tmp/a:b"


@pytest.mark.parametrize("text", ["count", "count@x:f", "@1:f", "count@1", "count@1:"])
def test_no_departure(text):
    with pytest.raises(ValueError, match="expected"):
        parse_departure(text)


@pytest.mark.parametrize(
    "options",
    [
        ["--incoming", "tcp:0"],
        ["--migrate", "a@1:tcp:1"],
        ["--migrate-to", "unix:x"],
        ["--checkpoint", "a@1:x"],
        ["--restore", "x"],
    ],
)
def test_what_has_left_or_come_cannot_be_taken_back(options):
    """There is no going back in time with any of them; without them there is."""
    assert migration_options.wanted(arguments.parse(["boot", *options]))
    assert not migration_options.wanted(arguments.parse(["boot", "--post-copy"]))


def test_a_wrong_address_is_an_error_of_usage(capsys):
    with pytest.raises(SystemExit):
        arguments.parse(["boot", "--migrate", "count@1:tcp:8.8.8.8:53"])
    assert "not of this host alone" in capsys.readouterr().err
