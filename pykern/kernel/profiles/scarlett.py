"""Scarlett OS, Phase 2: 128 priorities, a first-fit heap, ports with capabilities (SCA)."""

from __future__ import annotations

from pykern.kernel.core.units import MIB
from pykern.kernel.ipc.port import PortLimits
from pykern.kernel.mm.kernel_space import KernelLayout
from pykern.kernel.profiles.profile import PROFILES, Profile

SCARLETT = PROFILES.register("scarlett")(
    Profile(
        "scarlett",
        policy="priority128",
        log_style="scarlett",
        log_level="warn",
        kernel_stack=64 * 1024,
        syscall_table="scarlett_call_table",
        init="/bin/scarlett/init",
        layout=KernelLayout(heap=0xFFFF_FFFF_C000_0000, heap_size=256 * MIB),
        heap="first-fit",
        heap_initial=16 * MIB,
        # Fifteen registers saved, fifteen restored, and what they displace in the caches (SCA-16).
        switch_ns=500,
        ports=PortLimits(message_size=64 * 1024 + 12),
        port_capabilities=True,
        story="scarlett",
    )
)
