"""What the kernel image says of itself to its host: hosted functions by number, exported symbols.

The image hands over a pointer to `pykern_image` with its first hostcall. Everything is read from
guest memory, so it does not matter who loaded the image, or from where.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from construct import Bytes, Int64ul, Struct

if TYPE_CHECKING:
    from pykern_c import Vcpu

MAGIC = b"PYKERN\0\0"
VERSION = 1
MOST = 4096
"""Names and exports an image may have; more is taken for garbage."""
_LONGEST_NAME = 64

_Image = Struct(
    "magic" / Bytes(8),
    "version" / Int64ul,
    "hostcalls" / Int64ul,
    "names" / Int64ul,
    "exports" / Int64ul,
    "symbols" / Int64ul,
)
_Export = Struct("name" / Bytes(32), "address" / Int64ul)


class ImageError(Exception):
    """What attached is no kernel image that this host can serve; the message says why."""


@dataclass(frozen=True)
class KernelImage:
    """A kernel image in guest memory.

    Attributes
    ----------
    hostcalls : names; the first one has number 1
    symbols : name → linear address
    """

    hostcalls: tuple[str, ...]
    symbols: dict[str, int]


def looks_attached(vcpu: Vcpu) -> bool:
    """Tell whether an OUT to the hostcall port was an image attaching, not foreign code."""
    try:
        return vcpu.read_linear(vcpu.gprs[7], len(MAGIC)) == MAGIC
    except ValueError:
        return False


def read(vcpu: Vcpu, laddr: int) -> KernelImage:
    """Read the image's description.

    Parameters
    ----------
    laddr : of `pykern_image`

    Raises
    ------
    ImageError : it is damaged, or of another version
    """
    try:
        head = _Image.parse(vcpu.read_linear(laddr, _Image.sizeof()))
        _check(head)
        names = _names(vcpu, head.names, head.hostcalls)
        raw = vcpu.read_linear(head.symbols, head.exports * _Export.sizeof())
    except ValueError as error:
        raise ImageError(f"the kernel image's description at {laddr:#x}: {error}") from None
    exports = _Export[head.exports].parse(raw)
    return KernelImage(names, {e.name.rstrip(b"\0").decode(): e.address for e in exports})


def _check(head: object) -> None:
    if head.magic != MAGIC:  # type: ignore[attr-defined]
        raise ImageError(f"the kernel image's magic is {head.magic!r}, expected {MAGIC!r}")  # type: ignore[attr-defined]
    if head.version != VERSION:  # type: ignore[attr-defined]
        raise ImageError(
            f"the kernel image speaks version {head.version} of the host interface, this pykern"  # type: ignore[attr-defined]
            f" version {VERSION}: build the image anew"
        )
    if max(head.hostcalls, head.exports) > MOST:  # type: ignore[attr-defined]
        raise ImageError(f"the kernel image counts {head.hostcalls} hosted functions")  # type: ignore[attr-defined]


def _names(vcpu: Vcpu, laddr: int, count: int) -> tuple[str, ...]:
    """Read so many NUL-terminated names, a piece at a time: nobody says how long they are."""
    text = b""
    while text.count(b"\0") < count:
        if len(text) > count * _LONGEST_NAME:
            raise ImageError("the names of the kernel image's hosted functions do not end")
        step = 64 - (laddr + len(text)) % 64
        text += vcpu.read_linear(laddr + len(text), step)
    return tuple(name.decode("ascii", "replace") for name in text.split(b"\0")[:count])
