"""The table of drivers."""

from __future__ import annotations

import stat

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs.char_devices import NullFile
from pykern.kernel.fs.devices import DeviceTable
from pykern.kernel.fs.entries import mknod
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.stat import major, makedev, minor
from tests.pykern.kernel.fs.harness import Kernel, errno_of


def test_a_number_has_one_driver():
    """MIC-18, MYR-24: what a driver is registered for, nobody else gets."""
    devices = DeviceTable()
    devices.add("null", (1, 3), NullFile)
    devices.add("disk", (1, 3), NullFile, mode=stat.S_IFBLK | 0o660)
    for name, number in (("other", (1, 3)), ("null", (1, 4))):
        with pytest.raises(ValueError, match=f"/dev/{name}"):
            devices.add(name, number, NullFile)
    with pytest.raises(ValueError, match="neither S_IFCHR nor S_IFBLK"):
        devices.add("file", (1, 9), NullFile, mode=stat.S_IFREG)


def test_a_number_without_a_driver_cannot_be_opened():
    """MIC-18."""
    kernel = Kernel()
    mknod(kernel.ctx, b"/x", stat.S_IFCHR | 0o666, makedev(99, 1))
    assert errno_of(open_at, kernel.ctx, b"/x", 0) == Errno.ENXIO


@pytest.mark.parametrize(
    ("number", "encoded"), [((1, 3), 0x103), ((4, 64), 0x440), ((259, 0x12345), 0x12310345)]
)
def test_numbers_are_encoded_as_on_linux(number, encoded):
    assert makedev(*number) == encoded
    assert (major(encoded), minor(encoded)) == number
