"""A gdb and the machines it comes to."""

from __future__ import annotations

import pytest

from images import cpio
from tests.gdbstub.gdb import Gdb, Guest
from tests.pykern.debug.debugged_system import program


@pytest.fixture(scope="module")
def initrd(request, tmp_path_factory):
    """An archive with the PROGRAMS that a file of tests debugs: path → name."""
    path = tmp_path_factory.mktemp("initrd") / "programs.cpio"
    programs = request.module.PROGRAMS.items()
    members = [cpio.Member(where, program(name), 0o100755) for where, name in programs]
    path.write_bytes(cpio.archive(members, 0))
    return path


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
