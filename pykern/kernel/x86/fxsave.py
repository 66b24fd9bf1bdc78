"""The x87 and SSE state of a processor as an FXSAVE image.

References
----------
SDM Vol. 1, x87 FPU and SSE State: FXSAVE Area; Vol. 2A, FXSAVE.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern_c import Vcpu

SIZE = 512
MXCSR_MASK = 0xFFFF
_HEAD = struct.Struct("<HHBxHQQII")
_ST, _XMM = 32, 160
INITIAL = struct.pack("<HHBxHQQII", 0x37F, 0, 0, 0, 0, 0, 0x1F80, MXCSR_MASK).ljust(SIZE, b"\0")
"""What a program, and a signal handler, starts with."""


def save(vcpu: Vcpu) -> bytes:
    """Return the state of a processor, in the 64-bit format."""
    read = vcpu.read_register
    head = _HEAD.pack(
        *(read(name) for name in ("fcw", "fsw", "ftw", "fop", "fip", "fdp", "mxcsr")), MXCSR_MASK
    )
    stack = b"".join(read(f"st{i}").to_bytes(16, "little") for i in range(8))
    xmm = b"".join(read(f"xmm{i}").to_bytes(16, "little") for i in range(16))
    return (head + stack + xmm).ljust(SIZE, b"\0")


def restore(vcpu: Vcpu, image: bytes) -> None:
    """Give a processor the state of an image; bits of MXCSR that must be 0 are cleared."""
    write = vcpu.write_register
    fields = _HEAD.unpack_from(image)
    for name, value in zip(("fcw", "fsw", "ftw", "fop", "fip", "fdp"), fields, strict=False):
        write(name, value)
    write("mxcsr", fields[6] & MXCSR_MASK)
    for i in range(8):
        write(f"st{i}", int.from_bytes(image[_ST + 16 * i : _ST + 16 * i + 10], "little"))
    for i in range(16):
        write(f"xmm{i}", int.from_bytes(image[_XMM + 16 * i : _XMM + 16 * i + 16], "little"))
