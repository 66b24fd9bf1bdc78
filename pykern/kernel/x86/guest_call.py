"""Call a function of the kernel image from hosted code.

``result = await guest_call(symbols["spin_lock"], lock)`` makes the thread execute the real function
and go on in Python with its RAX. It may be interrupted and preempted like any kernel code. It is,
beside `core.wait`, the only thing a hosted coroutine yields (ADR 0011).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@dataclass(frozen=True)
class GuestCall:
    """A wish to have a function of the image executed.

    Attributes
    ----------
    function : linear address
    arguments : at most 6 integers
    """

    function: int
    arguments: tuple[int, ...]

    def __await__(self) -> Generator[GuestCall, int, int]:
        """Have the function executed; return its RAX."""
        result = yield self
        return result


def guest_call(function: int, *arguments: int) -> GuestCall:
    """Return the call, to be awaited.

    Raises
    ------
    ValueError : more than 6 arguments
    """
    if len(arguments) > 6:
        raise ValueError(f"{len(arguments)} arguments: registers carry 6")
    return GuestCall(function, arguments)
