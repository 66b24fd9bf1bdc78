"""The numbers against those of a real Linux."""

from __future__ import annotations

import errno
import sys

import pytest

from pykern.kernel.core.errno import Errno, SysError


@pytest.mark.skipif(sys.platform != "linux", reason="the host's numbers are another system's")
def test_numbers_are_those_of_linux():
    host = {name: number for name in dir(errno) if isinstance(number := getattr(errno, name), int)}
    ours = {name: int(member) for name, member in Errno.__members__.items()}
    assert {name: ours.get(name) for name in host} == host


def test_numbers_are_complete():
    assert sorted(set(Errno)) == [n for n in range(1, 134) if n not in {41, 58}]


def test_an_error_says_its_name_and_what_was_found():
    assert str(SysError(Errno.EBADF)) == "EBADF"
    assert str(SysError(Errno.EINVAL, "port 256, expected 0 to 255")) == (
        "EINVAL: port 256, expected 0 to 255"
    )
    assert SysError(Errno.EAGAIN).errno == 11
