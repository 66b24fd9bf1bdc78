"""MYR-06: exceptions in words."""

import pytest

from pykern.kernel.x86.fault_analysis import analyse, name_of, page_fault_bits, selector_bits
from pykern_c.exits import EXCEPTIONS


@pytest.mark.parametrize("vector", range(32))
def test_names_are_those_of_the_machine(vector):
    expected = EXCEPTIONS.get(vector)
    if expected:
        assert name_of(vector).startswith(f"{expected} ") or name_of(vector).startswith("NMI")
    elif vector not in {20, 21}:
        assert name_of(vector) == "reserved exception"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (0, "page not present, read, in supervisor mode (no bit set)"),
        (7, "protection violation, write, in user mode (P W/R U/S)"),
        (0x15, "protection violation, read, in user mode, instruction fetch (P U/S I/D)"),
        (0x28, "page not present, read, in supervisor mode, reserved bit set in an entry, "
               "protection key (RSVD PK)"),
    ],
)  # fmt: skip
def test_page_faults(error, words):
    assert page_fault_bits(error) == words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (0, "no selector"),
        (0x10, "selector index 2 of the GDT"),
        (0x33, "selector index 6 of the IDT, caused from outside the program (EXT)"),
        (0x14, "selector index 2 of the LDT"),
    ],
)
def test_selectors(error, words):
    assert selector_bits(error) == words


def test_a_page_fault_has_its_address_and_walk():
    assert analyse(14, 2, 0x1000, "PML4E\nPDPTE") == [
        "vector 14: #PF page fault",
        "error code 0x2: page not present, write, in supervisor mode (W/R)",
        "CR2 0x1000",
        "PML4E",
        "PDPTE",
    ]


def test_others_have_what_they_have():
    assert analyse(0, 0) == ["vector 0: #DE divide error"]
    assert analyse(8, 0) == ["vector 8: #DF double fault", "error code 0x0"]
    assert analyse(13, 0) == ["vector 13: #GP general protection", "error code 0x0: no selector"]
