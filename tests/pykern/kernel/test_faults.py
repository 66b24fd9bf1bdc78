"""What the log says of programs that do what they must not."""

from __future__ import annotations

import re

import pytest

from tests.pykern.kernel import hosted


@pytest.fixture(scope="module")
def log(kernel_image):
    path = hosted.compiled("process.c")
    made = hosted.batch(
        kernel_image, [[str(path)]], {str(path): path.read_bytes()}, {"data": b"none\n"}
    )
    return made.run().log


@pytest.mark.parametrize(
    "words",
    [
        r"write to 0x8: 0x8 is in the first page: a null pointer, at rip 0x\w+: killed by SIGSEGV",
        r"divide error, at rip 0x\w+: killed by SIGFPE",
        r"invalid op, at rip 0x\w+: killed by SIGILL",
        r"general protection, at rip 0x\w+: killed by SIGSEGV",
        r"execution of 0x\w+: .* anonymous memory .*: killed by SIGSEGV",
        r"write to 0xffff800000000000: .*: killed by SIGSEGV",
    ],
)
def test_a_fault_is_told_with_its_place_and_its_end(log, words):
    """MEL-47, MEL-48: reading kernel memory from ring 3 is a page fault, and the system goes on."""
    assert re.search(rf"\[FAULT\] WARN: process \d+ \(\w+\): {words}", log)


def test_a_fault_that_is_handled_is_not_told(kernel_image):
    path = hosted.compiled("registers.c")
    made = hosted.batch(kernel_image, [[str(path)]], {str(path): path.read_bytes()}, {})
    assert "[FAULT]" not in made.run().log
