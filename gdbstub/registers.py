"""Registers: g, G, p, P.

References
----------
Debugging with GDB, Packets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub.replies import OK, read_registers
from gdbstub.requests import RequestError, data, fields, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from gdbstub.arch import Register
    from gdbstub.session import Session
    from gdbstub.tracer import Frame


def read_general(session: Session, _rest: bytes) -> bytes:
    """Read (`g`) the registers of the first features, in order."""
    architecture = session.architecture
    if session.frame is not None:
        return b"".join(
            map(_traced(session.frame), range(len(architecture.general)), architecture.general)
        )
    if session.packed is not None:
        block = session.packed.read_general(session.general, architecture)
        if block is not None:
            return block.hex().encode()
    values = session.target.read_registers(session.general, architecture.general_names)
    sizes = architecture.general_sizes
    try:
        raw = [value.to_bytes(n, "little") for value, n in zip(values, sizes, strict=True)]  # type: ignore[union-attr]
    except (AttributeError, OverflowError):  # one that is unknown, or too large: the slow way
        return b"".join(read_registers(session.target, session.general, architecture.general))
    return b"".join(raw).hex().encode()


def write_general(session: Session, rest: bytes) -> bytes:
    """Write the same (`G`): all of them or none."""
    _check_live(session)
    raw, values, at = data(rest), {}, 0
    for register in session.architecture.general:
        values[register.name] = int.from_bytes(raw[at : at + register.size], "little")
        at += register.size
    if at != len(raw):
        raise RequestError(f"{len(raw)} bytes of registers, expected {at}")
    session.target.write_registers(session.general, values)
    return OK


def read_one(session: Session, rest: bytes) -> bytes:
    """Read one (`p`): NUMBER."""
    register = _register(session, rest)
    if session.frame is not None:
        return _traced(session.frame)(number(rest), register)
    return read_registers(session.target, session.general, [register])[0]


def _traced(frame: Frame) -> Callable[[int, Register], bytes]:
    """Return what shows a register that was collected; others are not available."""

    def shown(index: int, register: Register) -> bytes:
        value = frame.registers.get(index)
        if value is None:
            return b"xx" * register.size
        return (value & (1 << register.bits) - 1).to_bytes(register.size, "little").hex().encode()

    return shown


def write_one(session: Session, rest: bytes) -> bytes:
    """Write one (`P`): NUMBER=DATA."""
    _check_live(session)
    name, value = fields(rest, 2, b"=")
    register, raw = _register(session, name), data(value)
    if len(raw) != register.size:
        raise RequestError(f"{len(raw)} bytes for {register.name}, expected {register.size}")
    session.target.write_registers(session.general, {register.name: int.from_bytes(raw, "little")})
    return OK


def _check_live(session: Session) -> None:
    if session.frame is not None:
        raise RequestError("a frame of a trace cannot be changed")


def _register(session: Session, text: bytes) -> Register:
    index, known = number(text), session.architecture.registers
    if index >= len(known):
        raise RequestError(f"register {index}, expected 0 to {len(known) - 1}")
    return known[index]
