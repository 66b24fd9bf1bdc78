"""The options by which gdb is let in."""

from __future__ import annotations

import socket

import pytest

from gdbstub import Address
from images import prebuilt
from images.strip import strip
from pykern.cli import arguments, debugger, main
from pykern.exit_status import ExitStatus
from tests.booting import packaged


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


@pytest.mark.parametrize(
    ("line", "doors"),
    [
        ("", []),
        ("-s", [("cpu", 1234), ("os", 1235)]),
        ("-S", [("cpu", 1234), ("os", 1235)]),
        ("--gdb :9", [("cpu", 9)]),
        ("--gdb-os", [("os", 1235)]),
        ("--gdb-os :8 -S", [("os", 8)]),
        ("-s --gdb-os :8", [("cpu", 1234), ("os", 8)]),
    ],
)
def test_doors(line, doors):
    found = debugger.addresses(arguments.parse(["boot", *line.split()]))
    assert [(view, address.port) for view, address in found.items()] == doors


def test_a_stripped_program_gets_its_symbols_back():
    packaged()
    for name in ("hello", "init"):
        whole = prebuilt.programs()[name].read_bytes()
        assert len(strip(whole)) < len(whole)
        assert debugger.unstripped(strip(whole)) == whole
    assert debugger.unstripped(b"\x7fELF of somebody else") == b"\x7fELF of somebody else"


def test_an_address_that_is_taken(tmp_path, capfd):
    sector = tmp_path / "sector"
    sector.write_bytes(b"\xeb\xfe".ljust(510, b"\0") + b"\x55\xaa")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f":{taken.getsockname()[1]}"
        status = main(["boot", "-m", "2M", "--gdb", where, str(sector)])
    assert status == ExitStatus.USAGE
    assert "Address already in use" in capfd.readouterr().err
