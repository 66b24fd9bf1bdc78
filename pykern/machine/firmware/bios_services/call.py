"""One call of a BIOS service: registers, flags and memory of the caller."""

from __future__ import annotations

from typing import Any

CARRY, ZERO = 1 << 0, 1 << 6
_REAL_MODE_LIMIT = 0xFFFF
_FLAGS_OFFSET = 4  # behind IP and CS, where INT has pushed them


class _Part:
    """A part of a general register; what surrounds it stays."""

    def __init__(self, register: str, shift: int, bits: int) -> None:
        self._register = register
        self._shift = shift
        self._mask = (1 << bits) - 1

    def __get__(self, call: Call, _owner: type) -> int:
        return int(call.vcpu.read_register(self._register)) >> self._shift & self._mask

    def __set__(self, call: Call, value: int) -> None:
        whole = call.vcpu.read_register(self._register)
        whole &= ~(self._mask << self._shift)
        call.vcpu.write_register(self._register, whole | (value & self._mask) << self._shift)


class Call:
    """The caller, as it stands behind its INT instruction.

    Parameters
    ----------
    vcpu : the processor, in the service's OUT instruction

    Raises
    ------
    ValueError : memory the caller names is no RAM
    """

    eax, ax, al, ah = (
        _Part("rax", 0, 32),
        _Part("rax", 0, 16),
        _Part("rax", 0, 8),
        _Part("rax", 8, 8),
    )
    ebx, bx, bl, bh = (
        _Part("rbx", 0, 32),
        _Part("rbx", 0, 16),
        _Part("rbx", 0, 8),
        _Part("rbx", 8, 8),
    )
    ecx, cx, cl, ch = (
        _Part("rcx", 0, 32),
        _Part("rcx", 0, 16),
        _Part("rcx", 0, 8),
        _Part("rcx", 8, 8),
    )
    edx, dx, dl, dh = (
        _Part("rdx", 0, 32),
        _Part("rdx", 0, 16),
        _Part("rdx", 0, 8),
        _Part("rdx", 8, 8),
    )
    si, di, bp = _Part("rsi", 0, 16), _Part("rdi", 0, 16), _Part("rbp", 0, 16)

    def __init__(self, vcpu: Any) -> None:
        self.vcpu = vcpu

    @property
    def _flags_laddr(self) -> int:
        sp = int(self.vcpu.read_register("rsp")) + _FLAGS_OFFSET & _REAL_MODE_LIMIT
        return int(self.vcpu.read_register("ss.base")) + sp

    @property
    def flags(self) -> int:
        """The flags that the caller gets back from IRET."""
        return int.from_bytes(self.vcpu.read_linear(self._flags_laddr, 2), "little")

    @flags.setter
    def flags(self, value: int) -> None:
        self.vcpu.write_linear(self._flags_laddr, value.to_bytes(2, "little"))

    def _set_flag(self, bit: int, *, on: bool) -> None:
        self.flags = self.flags | bit if on else self.flags & ~bit

    def set_carry(self, *, on: bool) -> None:
        """Say whether the service has failed."""
        self._set_flag(CARRY, on=on)

    def set_zero(self, *, on: bool) -> None:
        """Set or clear ZF."""
        self._set_flag(ZERO, on=on)

    def fail(self, ah: int) -> None:
        """Return an error code in AH, and CF."""
        self.ah = ah
        self.set_carry(on=True)

    def succeed(self) -> None:
        """Return AH = 0 and no CF."""
        self.ah = 0
        self.set_carry(on=False)

    def laddr(self, segment: str, offset: int) -> int:
        """Return the linear address of an offset in `ds` or `es`."""
        return int(self.vcpu.read_register(f"{segment}.base")) + (offset & _REAL_MODE_LIMIT)

    def set_es(self, segment: int) -> None:
        """Return a segment in ES."""
        self.vcpu.write_register("es", segment)
        self.vcpu.write_register("es.base", segment << 4)

    def read(self, segment: str, offset: int, size: int) -> bytes:
        """Return memory of the caller."""
        return bytes(self.vcpu.read_linear(self.laddr(segment, offset), size))

    def write(self, segment: str, offset: int, data: bytes) -> None:
        """Write memory of the caller."""
        self.vcpu.write_linear(self.laddr(segment, offset), data)
