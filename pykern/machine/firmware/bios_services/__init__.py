"""A BIOS in Python: one file per interrupt, behind a small ROM of real code.

A guest's INT runs a handler in the ROM (`rom.py`), whose OUT lets the host serve the call on the
caller's registers and memory (`call.py`, `bios.py`).
"""

from __future__ import annotations

from pykern.machine.firmware.bios_services.bios import Bios
from pykern.machine.firmware.bios_services.drives import Drive, Media, insert

__all__ = ["Bios", "Drive", "Media", "insert"]
