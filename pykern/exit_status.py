"""The exit status of `pykern boot`: a contract with scripts and continuous integration.

0 means that the guest powered the machine off. A guest that ends through the debug-exit port
chooses its own status, which is odd ((value << 1) | 1, as QEMU has it); 33, for the value 10h, is
what test kernels commonly use. Everything that goes wrong has a number of its own.
"""

from __future__ import annotations

import enum


class ExitStatus(enum.IntEnum):
    """What `pykern boot` returns to the shell."""

    description: str

    def __new__(cls, value: int, description: str) -> ExitStatus:
        """Make a member of a number and its description."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member

    POWER_OFF = 0, "the guest powered the machine off"
    USAGE = 2, "bad usage"
    GUEST_EXIT = 33, "the guest wrote 10h to the debug-exit port"
    PANIC = 34, "the guest's kernel panicked"
    TRIPLE_FAULT = 35, "triple fault: a processor shut down"
    VIRTUAL_TIMEOUT = 36, "--timeout: the guest was still running at that virtual time"
    DEADLOCK = 37, "deadlock: every processor is halted and nothing can wake one"
    BAD_IMAGE = 38, "the image cannot be booted"
    RESET = 39, "--no-reboot: the guest reset the machine"
    INTERNAL_ERROR = 70, "a fault of pykern itself"
    INTERRUPTED = 130, "interrupted from the keyboard"


def table() -> str:
    """Return the contract as text, one line for each status."""
    lines = [f"{int(status):5}  {status.description}" for status in ExitStatus]
    return "\n".join(
        [*lines, "  odd  (value << 1) | 1, which the guest wrote to the debug-exit port"]
    )
