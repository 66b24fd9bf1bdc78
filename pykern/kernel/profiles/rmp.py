"""The memory and process kernel: NUMA, recursive paging, MLFQ with five priorities (RMP-01 ff.)."""

from __future__ import annotations

from pykern.kernel.core.units import GIB
from pykern.kernel.profiles.profile import PROFILES, Profile
from pykern.kernel.sched.policies.mlfq import Feedback

RMP = PROFILES.register("rmp")(
    Profile(
        "rmp",
        policy="mlfq",
        priority=Feedback.NORMAL,
        tick_by_pit=True,
        syscall_table="rmp_call_table",
        init="/bin/rmp/init",
        heap="first-fit",
        largest_page=GIB,
        recursive_paging=True,
        story="rmp",
    )
)
