"""AML encodings, by the examples and tables of the ACPI specification."""

from __future__ import annotations

import pytest

from pykern.machine.firmware import aml


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (1, "01"),
        (2, "0a02"),
        (0xFF, "0aff"),
        (0x100, "0b0001"),
        (0x10000, "0c00000100"),
        (1 << 32, "0e0000000001000000"),
    ],
)
def test_integer(value, encoded):
    assert aml.integer(value).hex() == encoded


@pytest.mark.parametrize("size", [0, 62, 63, 64, 4093, 4094, 5000, 1 << 20])
def test_package_length_counts_itself(size):
    encoded = aml.package_length(bytes(size))
    extra = encoded[0] >> 6
    assert len(encoded) == extra + 1
    length = encoded[0] & (0x3F if not extra else 0xF)
    for index in range(extra):
        length |= encoded[1 + index] << (4 + 8 * index)
    assert length == size + len(encoded)


@pytest.mark.parametrize(
    ("path", "encoded"),
    [
        ("_HID", b"_HID"),
        ("\\_SB", b"\\_SB_"),
        ("\\_SB.PCI0", b"\\\x2e_SB_PCI0"),
        ("A.B.C", b"\x2f\x03A___B___C___"),
    ],
)
def test_name_string(path, encoded):
    assert aml.name_string(path) == encoded


def test_eisa_id():
    # ASL: EisaId ("PNP0A03") is 0x030AD041.
    assert aml.eisa_id("PNP0A03") == b"\x0c\x41\xd0\x0a\x03"


def test_too_long_a_package():
    with pytest.raises(ValueError, match="PkgLength"):
        aml.package_length(bytes(1 << 28))
