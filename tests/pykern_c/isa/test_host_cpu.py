"""Every row of the instruction table against the host CPU, in 64-bit code."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pykern_c import cpuid
from tests.oracle import host
from tests.oracle.compare import X87_POINTERS, differences, report
from tests.oracle.generate import Cases, cases
from tests.oracle.pykern_cpu import PykernCpu
from tests.oracle.state import STATUS_FLAGS, Flag, Outcome, States
from tests.oracle.table import RowForm, forms

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMS = [
    f
    for f in forms()
    if f.host_runs() and "cpl0" not in f.attributes and f.row.feature in {"", *cpuid.MODELS["max"]}
]
PAGE_FAULT, INVALID_OPCODE = 14, 6
P = np.uint32(1)  # of a page fault's error code
USER_END = np.uint64(1 << 47)
# They raise #UD for ever, or at CPL 3.
UNDEFINED = {"UD0", "UD1", "UD2", "RSM", "CLAC", "STAC"}
# What they do is the host's affair: its handler, the state that its XCR0 names and it has changed.
NOT_COMPARED = {"INT3", "XSAVEOPT", "XSAVEOPT64"}
# They check more than one thing, in an order that is each processor's own.
MANY_CHECKS = {"RETF", "IRET"}
# AMD saves the x87 pointers only with an exception pending, and knows bit 17 of MXCSR.
IMAGES = {"FXSAVE", "FXSAVE64"}
# These save the pointers always, but Linux does not keep them for a program that has to make room.
POINTERS = IMAGES | {"FNSTENV", "FNSAVE"}
MXCSR_MM = np.uint32(1 << 17)


@functools.cache
def processors() -> tuple[host.HostCpu, PykernCpu]:
    reason = host.unavailable()
    if reason:
        pytest.skip(reason)
    return host.HostCpu(), PykernCpu(64)


def compared_flags(form: RowForm) -> int:
    """Return the defined status flags, or all where the undefined are modelled on this host."""
    zen5 = host.vendor() == "AuthenticAMD" and host.family() == 26
    return (STATUS_FLAGS if zen5 else form.defined_flags()) | Flag.DF | Flag.AC


def forget_kernel_pages(states: States) -> None:
    """Clear P of page faults in the kernel's half: what is mapped there is the host's affair."""
    kernel = (states["vector"] == PAGE_FAULT) & (states["cr2"] >= USER_END)
    states["error_code"][kernel] &= ~P


def incomparable(
    form: RowForm, drawn: Cases, expected: States, actual: States
) -> NDArray[np.bool_] | list[bool]:
    """Tell which cases Intel's processors and the host, or any two, need not agree on."""
    if form.mnemonic in MANY_CHECKS:
        return (expected["vector"] >= 0) & (actual["vector"] >= 0)
    if "Mp" in form.operands:  # AMD knows no far pointers with 64-bit offsets
        return [encoded.opsize == 64 for encoded in drawn.encodings]
    if "Cd" in form.operands:  # AMD: LOCK MOV CR0 is CR8
        return [0xF0 in encoded.code for encoded in drawn.encodings]
    return (expected["mxcsr"] & MXCSR_MM) != 0


def ignored_fields(form: RowForm) -> tuple[str, ...]:
    """Return what is the model's affair: which byte of an x87 image faults first."""
    return ("cr2",) if form.mnemonic in {"FNSAVE", "FRSTOR", "FNSTENV", "FLDENV"} else ()


def without_mxcsr_mask(found: dict[int, list[str]]) -> dict[int, list[str]]:
    """Drop cases whose only difference is bit 17 of MXCSR_MASK in the image."""
    return {
        case: lines
        for case, lines in found.items()
        if len(lines) > 1 or not lines[0].endswith("expected 0x2, got 0x0")
    }


def compare(form: RowForm, count: int, seed: int) -> None:
    oracle, pykern = processors()
    drawn = cases(form, count, seed=seed)
    if form.mnemonic in POINTERS:
        for name in X87_POINTERS:
            drawn.start[name] = 0
    expected = oracle.run(drawn.code, drawn.start)
    if (expected["vector"] == Outcome.REFUSED).all() or form.mnemonic in NOT_COMPARED:
        pytest.skip("the host must not execute it, or in a way of its own")
    actual = pykern.run(drawn.code, drawn.start)
    forget_kernel_pages(expected)
    forget_kernel_pages(actual)
    expected["vector"][incomparable(form, drawn, expected, actual)] = Outcome.REFUSED
    found = differences(expected, actual, flags=compared_flags(form), ignore=ignored_fields(form))
    if form.mnemonic in IMAGES:
        found = without_mxcsr_mask(found)
    assert not found, report(drawn.code, drawn.start, found)
    known = (expected["vector"] != INVALID_OPCODE).any()
    assert known or form.mnemonic in UNDEFINED, "no case got past #UD"


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.row.key)
def test_agrees_with_the_host(form: RowForm) -> None:
    compare(form, 1_000, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.row.key)
def test_agrees_with_the_host_for_long(form: RowForm) -> None:
    for seed in range(2, 12):
        compare(form, 10_000, seed)
