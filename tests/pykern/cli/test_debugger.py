"""The options by which gdb is let in."""

from __future__ import annotations

import socket

import pytest

from gdbstub import Address
from pykern.cli import arguments, main
from pykern.exit_status import ExitStatus


@pytest.mark.parametrize(
    ("line", "address", "wait"),
    [
        ("", None, False),
        ("-s", Address(port=1234), False),
        ("--gdb --smp 2", Address(port=1234), False),
        ("-s -S", Address(port=1234), True),
        ("-S", None, True),
        ("-gdb tcp::9 -S", Address(port=9), True),
        ("--gdb unix:/x", Address(path="/x"), False),
        ("--gdb 0.0.0.0:1", Address("0.0.0.0", 1), False),
    ],
)
def test_options(line, address, wait):
    args = arguments.parse(["boot", *line.split()])
    assert (args.gdb, args.wait_for_gdb) == (address, wait)


def test_an_address_that_is_taken(tmp_path, capsys):
    sector = tmp_path / "sector"
    sector.write_bytes(b"\xeb\xfe".ljust(510, b"\0") + b"\x55\xaa")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f":{taken.getsockname()[1]}"
        status = main(["boot", "-m", "2M", "--gdb", where, str(sector)])
    assert status == ExitStatus.USAGE
    assert "Address already in use" in capsys.readouterr().err
