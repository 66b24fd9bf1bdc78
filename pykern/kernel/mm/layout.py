"""Where things lie in an address space, and how much of them there may be."""

from __future__ import annotations

from dataclasses import dataclass

from pykern.kernel.core.units import GIB, MIB


@dataclass(frozen=True)
class UserLayout:
    """Where user memory lies: linear addresses, page aligned.

    Parameters
    ----------
    bottom : lowest address that may be mapped; what lies below catches null pointers
    top : end of the user half and of the stack of a program
    mmap_top : areas without an address are put below it, downward
    stack_top, stack_size : of a program's first stack
    stack_guards : pages on both sides of it are taken, and nothing may be done with them
    program : where programs are loaded that may be anywhere
    """

    bottom: int = 0x1_0000
    top: int = 0x7FFF_FFFF_F000
    mmap_top: int = 0x7FFF_F7FF_F000
    stack_top: int = 0x7FFF_FFFF_F000
    stack_size: int = 8 * MIB
    stack_guards: bool = False
    program: int = 0x5555_5555_4000


@dataclass
class Limits:
    """What one address space may take: bytes, and areas.

    Parameters
    ----------
    address_space, data, stack : RLIMIT_AS, RLIMIT_DATA (of brk), RLIMIT_STACK
    areas : as vm.max_map_count of Linux
    allow_wx : let memory be writable and executable at once
    """

    address_space: int = 128 << 40
    data: int = 128 * GIB
    stack: int = 8 * MIB
    areas: int = 65530
    allow_wx: bool = False
