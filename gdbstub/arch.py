"""Target descriptions: which registers there are, how gdb numbers them, and the XML that says so.

References
----------
Debugging with GDB, Target Description Format; Standard Target Features.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Register:
    """One register.

    Attributes
    ----------
    bits : its size, a multiple of 8
    type : gdb's, or one that the feature declares
    group : for `info registers GROUP`; empty: gdb chooses
    """

    name: str
    bits: int
    type: str = "int"
    group: str = ""

    @property
    def size(self) -> int:
        """Return its size in bytes."""
        return self.bits // 8


@dataclass(frozen=True)
class Feature:
    """Registers that belong together.

    Attributes
    ----------
    types : XML that declares the types of their fields
    """

    name: str
    registers: tuple[Register, ...]
    types: str = ""


@dataclass(frozen=True)
class Architecture:
    """What gdb is told of the processor.

    Registers are numbered from 0 in the order of the features.

    Attributes
    ----------
    name : as in `set architecture`
    features : in the order in which they are described
    general_features : so many of the first ones make up the `g` packet; the rest is read by `p`
    pc : name of the program counter
    expedited : names of registers that come with every stop
    """

    name: str
    features: tuple[Feature, ...]
    general_features: int
    pc: str
    expedited: tuple[str, ...] = ()

    @functools.cached_property
    def registers(self) -> Sequence[Register]:
        """Return all registers by number."""
        return tuple(register for feature in self.features for register in feature.registers)

    @functools.cached_property
    def general(self) -> Sequence[Register]:
        """Return the registers of the `g` packet."""
        features = self.features[: self.general_features]
        return tuple(register for feature in features for register in feature.registers)

    @functools.cached_property
    def general_names(self) -> Sequence[str]:
        """Return their names."""
        return tuple(register.name for register in self.general)

    @functools.cached_property
    def general_sizes(self) -> Sequence[int]:
        """Return their sizes in bytes."""
        return tuple(register.size for register in self.general)

    @functools.cached_property
    def numbers(self) -> dict[str, int]:
        """Return the numbers of registers by name."""
        return {register.name: number for number, register in enumerate(self.registers)}

    @functools.cached_property
    def xml(self) -> str:
        """Return the target description, an element to a line: trace files have short lines."""
        features = "".join(map(_feature_xml, self.features))
        whole = (
            '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd">'
            f"<target><architecture>{self.name}</architecture>{features}</target>"
        )
        return whole.replace("><", ">\n<")


def _feature_xml(feature: Feature) -> str:
    registers = "".join(map(_register_xml, feature.registers))
    return f"<feature name={quoteattr(feature.name)}>{feature.types}{registers}</feature>"


def _register_xml(register: Register) -> str:
    group = f" group={quoteattr(register.group)}" if register.group else ""
    return f'<reg name="{register.name}" bitsize="{register.bits}" type="{register.type}"{group}/>'


def flags_xml(name: str, size: int, bits: dict[str, int | tuple[int, int]]) -> str:
    """Return the declaration of a type whose bits have names.

    Parameters
    ----------
    size : bytes
    bits : name → number of a bit, or numbers of the first and the last one
    """
    fields = "".join(
        f'<field name="{field}" start="{start}" end="{end}"/>'
        for field, place in bits.items()
        for start, end in [(place, place) if isinstance(place, int) else place]
    )
    return f'<flags id="{name}" size="{size}">{fields}</flags>'
