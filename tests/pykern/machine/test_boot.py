"""The registry of boot protocols."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.machine import boot


def test_an_unknown_image_lists_what_was_looked_for():
    with pytest.raises(boot.BootError) as caught:
        boot.find(b"hello, world", "a.txt")
    message = str(caught.value)
    assert message.startswith("a.txt: 12 bytes starting with 68 65 6c 6c 6f")
    for name in boot.PROTOCOLS:
        assert f"  {name}: " in message


def test_empty_image():
    with pytest.raises(boot.BootError, match="0 bytes starting with nothing"):
        boot.find(b"", "empty")


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'linux' is registered already"):
        boot.register(boot.PROTOCOLS["linux"])


@given(
    st.sampled_from(
        [b"", b"\x7fELF\x02\x01\x01", b"\x7fELF\x01\x01\x01", bytes(510) + b"\x55\xaa"]
    ),
    st.binary(max_size=300),
)
def test_any_bytes_boot_or_are_refused(start, rest):
    image = start + rest
    try:
        protocol = boot.find(image, "fuzz")
        protocol.load(image, _TinyMachine(), boot.BootOptions(name="fuzz"))
    except boot.BootError as error:
        message = str(error)
    else:
        message = "booted"
    assert message


class _TinyMachine:
    ram_ranges = ((0, 2 << 20),)

    def __init__(self):
        self.vcpus = (self,)
        self.ram = bytearray(2 << 20)

    def write(self, paddr, data):
        assert 0 <= paddr <= paddr + len(data) <= len(self.ram)
        self.ram[paddr : paddr + len(data)] = data

    def map_rom(self, paddr, data):
        pass

    def write_register(self, name, value):
        assert 0 <= value < 1 << 64
