"""Every row of the instruction table against the host CPU, in 64-bit code."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pykern_c import cpuid
from tests.oracle import host
from tests.oracle.compare import differences, report
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
# Their handler is the host's.
DELIVERED = {"INT3"}
# test_state.py compares them, but for what is the host's own.
IMAGES = {"FXSAVE", "FXSAVE64", "XSAVEOPT", "XSAVEOPT64"}
MISALIGNED_MODE = 0x2_0000  # AMD's bit of MXCSR
# They check more than one thing, in an order that is each processor's own.
MANY_CHECKS = {"RETF", "IRET"}


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
    if form.mnemonic == "LDMXCSR":
        return expected["mxcsr"] & MISALIGNED_MODE != 0
    return np.zeros(len(expected), np.bool_)


def ignored_fields(form: RowForm) -> tuple[str, ...]:
    """Return what is the model's affair: which byte of an x87 image faults first."""
    return ("cr2",) if form.mnemonic in {"FNSAVE", "FRSTOR", "FNSTENV", "FLDENV"} else ()


def compare(form: RowForm, count: int, seed: int) -> None:
    oracle, pykern = processors()
    drawn = cases(form, count, seed=seed)
    expected = oracle.run(drawn.code, drawn.start)
    if (expected["vector"] == Outcome.REFUSED).all() or form.mnemonic in DELIVERED | IMAGES:
        pytest.skip("the host must not execute it, or does so in a handler of its own")
    actual = pykern.run(drawn.code, drawn.start)
    forget_kernel_pages(expected)
    forget_kernel_pages(actual)
    expected["vector"][incomparable(form, drawn, expected, actual)] = Outcome.REFUSED
    found = differences(expected, actual, flags=compared_flags(form), ignore=ignored_fields(form))
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
