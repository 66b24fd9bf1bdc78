"""The load averages: how many threads ran or could have run, over 1, 5 and 15 minutes.

Every five seconds the present number is mixed in, so that an old one counts for 1/e after the time
of the average. Fixed-point numbers, because the same run has to give the same figures everywhere.

References
----------
proc(5), /proc/loadavg; the recurrence and the time constants are those of Linux.
"""

from __future__ import annotations

from pykern.kernel.core.clock import NS_PER_S

__all__ = ["SAMPLE_NS", "LoadAverage"]

SAMPLE_NS = 5 * NS_PER_S
_ONE = 1 << 11
# 2048 / exp(5 s / 1 min), 5 min, 15 min
_DECAY = (1884, 2014, 2037)


class LoadAverage:
    """Three averages.

    Attributes
    ----------
    due_ns : virtual time of the next sample
    """

    __slots__ = ("_loads", "due_ns")

    def __init__(self, now_ns: int) -> None:
        self._loads = [0, 0, 0]
        self.due_ns = now_ns + SAMPLE_NS

    def sample(self, now_ns: int, active: int) -> None:
        """Mix in the number of active threads for every sample that is due by now.

        Where ticks stop while all CPUs idle, the samples missed are those of an idle machine: only
        the last one finds somebody active.
        """
        while self.due_ns <= now_ns:
            self.due_ns += SAMPLE_NS
            self._mix(active if self.due_ns > now_ns else 0)

    def _mix(self, active: int) -> None:
        target = active * _ONE
        for which, decay in enumerate(_DECAY):
            load = self._loads[which]
            mixed = load * decay + target * (_ONE - decay)
            # Rounded towards the target, or a steady load would never be shown in full.
            self._loads[which] = (mixed + (_ONE - 1 if target >= load else 0)) // _ONE

    @property
    def averages(self) -> tuple[float, float, float]:
        """Return the averages over 1, 5 and 15 minutes."""
        one, five, fifteen = (load / _ONE for load in self._loads)
        return one, five, fifteen
