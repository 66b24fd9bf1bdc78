"""gdb's numbers of signals, which are those of no system beyond the first fifteen.

References
----------
GDB, include/gdb/signals.def.
"""

from __future__ import annotations

_NAMES = (
    *("HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "EMT", "FPE", "KILL", "BUS", "SEGV", "SYS"),
    *("PIPE", "ALRM", "TERM", "URG", "STOP", "TSTP", "CONT", "CHLD", "TTIN", "TTOU", "IO", "XCPU"),
    *("XFSZ", "VTALRM", "PROF", "WINCH", "LOST", "USR1", "USR2", "PWR"),
)
NUMBERS = {f"SIG{name}": number for number, name in enumerate(_NAMES, 1)}
"""Name → number."""
UNKNOWN = 143
"""For a signal that gdb has no number for."""
