"""A gdb and the machines it comes to."""

from __future__ import annotations

import pytest

from tests.gdbstub.gdb import Gdb, Guest


@pytest.fixture
def boot(tmp_path):
    guests = []

    def start(*arguments, **options):
        guests.append(Guest(tmp_path, *arguments, **options))
        return guests[-1]

    yield start
    for guest in guests:
        guest.close()


@pytest.fixture
def gdb():
    one = Gdb()
    yield one
    one.close()


@pytest.fixture
def attached(boot, gdb):
    """A gdb that has come to the default image before its first instruction."""
    gdb.guest = boot()
    gdb.type(f"target remote {gdb.guest.address}")
    return gdb
