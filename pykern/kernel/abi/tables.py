"""Call tables of the kernel image: for each gate, which function a number leads to."""

from __future__ import annotations

from pykern.kernel.abi import linux_x86_64, mellos, microkernel, native, rmp, scarlett

GATES = {
    "linux_call_table": (*linux_x86_64.CALLS, *native.CALLS),
    "mellos_call_table": mellos.CALLS,
    "scarlett_call_table": scarlett.CALLS,
    "microkernel_call_table": microkernel.CALLS,
    "rmp_call_table": rmp.CALLS,
}
"""Symbol of the table in the image → the calls it may hold."""


def gates(symbols: set[str]) -> dict[str, dict[int, str]]:
    """Return, per table, number → symbol, of the calls whose function there is.

    Parameters
    ----------
    symbols : functions that the image defines
    """
    return {
        table: {call.number: call.symbol for call in calls if call.symbol in symbols}
        for table, calls in GATES.items()
    }
