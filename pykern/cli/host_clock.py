"""Pace virtual time to the wall clock (`--clock host`): nothing else reads the host's clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pykern.config import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable


class HostPacer:
    """Tells how far virtual time has run ahead since the pacer was made.

    When the machine cannot keep up, time lost is not made up for: a guest that was slow for a while
    does not run too fast afterwards.

    Parameters
    ----------
    now_ns : the wall clock; monotonic
    """

    def __init__(self, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._now_ns = now_ns
        self._origin = now_ns()

    def lead(self, virtual_ns: int) -> float:
        """Return by how many seconds virtual time is ahead; never negative."""
        lead = virtual_ns - (self._now_ns() - self._origin)
        if lead < 0:
            self._origin -= lead
            return 0.0
        return lead / NS_PER_SECOND
