"""The microkernel: round robin by the PIT, messages by pid, demand paging with LRU (MIC-01 ff.)."""

from __future__ import annotations

from pykern.kernel.core.units import MIB
from pykern.kernel.ipc.port import PortLimits
from pykern.kernel.profiles.profile import PROFILES, Profile

MICROKERNEL = PROFILES.register("microkernel")(
    Profile(
        "microkernel",
        policy="rr",
        log_style="pykern",
        tick_by_pit=True,
        syscall_table="microkernel_call_table",
        init="/bin/microkernel/init",
        ports=PortLimits(message_size=256),
        swap=64 * MIB,
        story="microkernel",
    )
)
