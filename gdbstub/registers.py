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
    from gdbstub.arch import Register
    from gdbstub.session import Session


def read_general(session: Session, _rest: bytes) -> bytes:
    """Read (`g`) the registers of the first features, in order."""
    architecture = session.architecture
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
    return read_registers(session.target, session.general, [_register(session, rest)])[0]


def write_one(session: Session, rest: bytes) -> bytes:
    """Write one (`P`): NUMBER=DATA."""
    name, value = fields(rest, 2, b"=")
    register, raw = _register(session, name), data(value)
    if len(raw) != register.size:
        raise RequestError(f"{len(raw)} bytes for {register.name}, expected {register.size}")
    session.target.write_registers(session.general, {register.name: int.from_bytes(raw, "little")})
    return OK


def _register(session: Session, text: bytes) -> Register:
    index, known = number(text), session.architecture.registers
    if index >= len(known):
        raise RequestError(f"register {index}, expected 0 to {len(known) - 1}")
    return known[index]
