"""The computer: CPU, MMU and TLB, interrupt controllers, clock; typed Cython.

Nothing in here knows any kernel. The face is `Machine`, `Vcpu`, `Context`, `Exit`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern_c.context import Context
    from pykern_c.exits import Exit, ExitReason
    from pykern_c.machine import Machine
    from pykern_c.vcpu import Vcpu

__all__ = ["Context", "Exit", "ExitReason", "Machine", "Vcpu"]

_HOME = {
    "Context": "pykern_c.context",
    "Exit": "pykern_c.exits",
    "ExitReason": "pykern_c.exits",
    "Machine": "pykern_c.machine",
    "Vcpu": "pykern_c.vcpu",
}


def __getattr__(name: str) -> object:
    """Import the compiled modules on first use: building them needs pykern_c.isa without them."""
    if name not in _HOME:
        raise AttributeError(f"module 'pykern_c' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
