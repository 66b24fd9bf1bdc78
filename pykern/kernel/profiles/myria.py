"""Myria OS, milestone 2: isolated address spaces, W^X, a cooperative scheduler (MYR)."""

from __future__ import annotations

from pykern.kernel.core.units import MIB
from pykern.kernel.mm.kernel_space import KernelLayout
from pykern.kernel.mm.layout import UserLayout
from pykern.kernel.profiles.profile import PROFILES, Profile

MYRIA = PROFILES.register("myria")(
    Profile(
        "myria",
        policy="cooperative",
        log_style="myria",
        log_level="warn",
        max_cpus=1,
        syscall_table="scarlett_call_table",
        init="/bin/myria/init",
        layout=KernelLayout(
            hhdm=0xFFFF_FFFF_C000_0000,
            hhdm_size=512 * MIB,
            heap=0xFFFF_FFFF_A000_0000,
            heap_size=512 * MIB,
            stacks=0xFFFF_FFFF_9000_0000,
            stacks_size=256 * MIB,
        ),
        user=UserLayout(
            program=0x1_0000, stack_top=0x80_2000, stack_size=0x2000, stack_guards=True
        ),
        story="myria",
    )
)
