"""The rows of pykern_c's instruction table as forms the generator can draw from."""

from __future__ import annotations

import functools
from typing import Literal

from pykern_c.isa import rows

from .host import has_feature
from .state import STATUS_FLAGS, Flag

_MAPS = (b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a")
_FLAG_LETTERS = {
    "O": Flag.OF, "S": Flag.SF, "Z": Flag.ZF, "A": Flag.AF, "P": Flag.PF, "C": Flag.CF,
}  # fmt: skip


class RowForm:
    """A `rows.Form` with the face of `encode.Form`."""

    def __init__(self, row: rows.Form) -> None:
        self.row = row
        self.mnemonic = row.mnemonic
        self.vex = (row.map - 4, row.vex_l) if row.vex else None
        self.opcode = (b"" if row.vex else _MAPS[row.map]) + bytes([row.opcode])
        self.prefix = row.prefix
        self.plus_r = row.plus_r
        self.rexw = None if row.w is None else bool(row.w)
        self.mem_only = row.memory_only
        self.reg_only = row.register_only
        self.operands = tuple(operand.text for operand in row.operands)
        self.attributes = row.attributes
        self.modrm: Literal["r"] | int | None = None
        if row.modrm_rm is not None:
            self.opcode += bytes([0xC0 | int(row.modrm) << 3 | row.modrm_rm])
        elif row.modrm == "r":
            self.modrm = "r"
        elif row.modrm:
            self.modrm = int(row.modrm)

    def imm_sizes(self, opsize: int) -> list[int]:
        """Return the sizes in bytes of the immediates; MOFFS is not one of them."""
        near = min(opsize // 8, 4)
        sizes = {"ib": 1, "cb": 1, "iw": 2, "iz": near, "cz": near, "iv": opsize // 8}
        sizes["far"] = near + 2
        return [sizes[text] for text in self.row.immediates if text != "moffs"]

    def defined_flags(self) -> int:
        """Return the status flags that the SDM defines behind this instruction."""
        undefined = sum(int(_FLAG_LETTERS[letter]) for letter in self.row.undefined)
        return STATUS_FLAGS & ~undefined

    def exists_in(self, mode: int) -> bool:
        """Tell whether code of 16, 32 or 64 bits has this row."""
        return not {"i64" if mode == 64 else "o64"} & self.row.attributes

    def host_runs(self) -> bool:
        """Tell whether the host CPU can be asked: 64-bit code, and it has the feature."""
        return self.exists_in(64) and (not self.row.feature or has_feature(self.row.feature))

    def __repr__(self) -> str:
        """Name the row as the instruction table does."""
        return f"RowForm({self.row.key!r})"


@functools.cache
def forms() -> tuple[RowForm, ...]:
    """Return all rows of the instruction table."""
    return tuple(RowForm(row) for row in rows.load())
