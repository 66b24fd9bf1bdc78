"""Unicorn as an oracle, for what the host CPU cannot run: 16- and 32-bit code, missing features.

Unicorn is QEMU 5.0's translator without its devices. It is a weaker oracle than the host:

* It runs at CPL 0, without paging: privileged instructions execute, and the U bit of a #PF error
  code is clear. The error codes of other exceptions are not known; they are given as zero.
* It checks no segment limits, no alignment and no canonical addresses.
* MXCSR flags, unmasked SSE exceptions, FOP, FIP, FDP and some x87 flags are not those of a CPU:
  compare results of floating point with ``ignore=UNRELIABLE``.
* Flags that the SDM leaves undefined are what QEMU makes of them.
* A 32-bit CMPXCHG clears bits 32 to 63 of RAX although the comparison was equal.
"""

from __future__ import annotations

import importlib
import struct
from typing import Any

import numpy as np

from .state import (
    DATA_SIZE,
    GPR_NAMES,
    LAYOUT,
    LAYOUT_16,
    MEM_SIZE,
    PAGE,
    Instructions,
    Layout,
    Outcome,
    States,
    batch,
    code_bytes,
    stray_hash,
)

# Imported as Any: what it exports and annotates does not pass mypy --strict.
unicorn: Any = importlib.import_module("unicorn")
x86: Any = importlib.import_module("unicorn.x86_const")

UNRELIABLE = ("mxcsr", "fsw", "ftw")

_MODES = {16: unicorn.UC_MODE_16, 32: unicorn.UC_MODE_32, 64: unicorn.UC_MODE_64}
_SREGS = [getattr(x86, f"UC_X86_REG_{name}") for name in ("ES", "CS", "SS", "DS", "FS", "GS")]
_LEGACY = bytes([0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65])
_STRINGS = bytes([*range(0x6C, 0x70), *range(0xA4, 0xA8), *range(0xAA, 0xB0)])
_PAGE_FAULT_BITS = {  # P and W of the error code (SDM Vol. 3A, "Page-Fault Exceptions")
    unicorn.UC_MEM_READ_UNMAPPED: 0,
    unicorn.UC_MEM_READ_PROT: 1,
    unicorn.UC_MEM_WRITE_UNMAPPED: 2,
    unicorn.UC_MEM_WRITE_PROT: 3,
    unicorn.UC_MEM_FETCH_UNMAPPED: 0,
    unicorn.UC_MEM_FETCH_PROT: 1,
}
_FX = struct.Struct("<HHBxHQQII")  # SDM Vol. 1, "FXSAVE Area", up to the registers
_FXSAVE, _FXRSTOR = 0, 1


class UnicornCpu:
    """Executes single instructions in Unicorn, with the face of `HostCpu`.

    Parameters
    ----------
    mode
        16 (real mode), 32 or 64.
    """

    def __init__(self, mode: int) -> None:
        self.mode = mode
        self.layout: Layout = LAYOUT_16 if mode == 16 else LAYOUT
        self._scratch = self.layout.data_end + PAGE
        self._uc: Any = unicorn.Uc(unicorn.UC_ARCH_X86, _MODES[mode])
        self._uc.ctl_set_cpu_model(x86.UC_CPU_X86_ICELAKE_SERVER)
        prefix = "R" if mode == 64 else "E"
        self._ip = getattr(x86, f"UC_X86_REG_{prefix}IP")
        names = GPR_NAMES if mode == 64 else GPR_NAMES[:8]
        self._gprs = [
            getattr(x86, f"UC_X86_REG_{prefix if name[1:].isalpha() else 'R'}{name[1:].upper()}")
            for name in names
        ]
        self._placed = b""
        self._fault: tuple[int, int, int] | None = None  # vector, error code, address
        self._map()

    def _map(self) -> None:
        layout = self.layout
        code = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
        data = unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE
        self._uc.mem_map(layout.code_base, layout.code_size, code)
        self._uc.mem_map(layout.data_base, 2 * PAGE, data)
        self._uc.mem_map(layout.read_only, PAGE, unicorn.UC_PROT_READ)
        self._uc.mem_map(self._scratch, PAGE, unicorn.UC_PROT_ALL)
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._on_interrupt)
        self._uc.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._on_bad_access)
        for digit in (_FXSAVE, _FXRSTOR):
            self._uc.mem_write(self._scratch + 0x800 + 16 * digit, self._fx_code(digit))

    def _fx_code(self, digit: int) -> bytes:
        """Return FXSAVE or FXRSTOR of the start of the scratch page."""
        if self.mode == 16:
            return bytes([0x0F, 0xAE, digit << 3 | 6]) + self._scratch.to_bytes(2, "little")
        if self.mode == 32:
            return bytes([0x0F, 0xAE, digit << 3 | 5]) + self._scratch.to_bytes(4, "little")
        return bytes([0x48, 0x0F, 0xAE, digit << 3 | 4, 0x25]) + self._scratch.to_bytes(4, "little")

    def _on_interrupt(self, _uc: object, number: int, _data: object) -> None:
        self._fault = (number, 0, 0)
        self._uc.emu_stop()

    def _on_bad_access(self, _uc: object, access: int, address: int, *_rest: object) -> bool:
        self._fault = (14, _PAGE_FAULT_BITS[access], address)
        return False

    def run(
        self, code: bytes | list[bytes] | Instructions, start: States, *, step: bool = False
    ) -> States:
        """Execute one instruction per state and return the states behind it.

        The parameters are those of `HostCpu.run`; with `step`, REP does one iteration.
        """
        packed = batch(code, start, self.layout)
        result = start.copy()
        for instruction, state in zip(packed, result, strict=True):
            self._run_one(code_bytes(instruction), state, step)
        return result

    def _run_one(self, code: bytes, state: np.void, step: bool) -> None:
        if _aborts(code, self.mode):
            state["vector"] = Outcome.REFUSED
            return
        start = int(state["rip"])
        self._load(state)
        self._place(code, start)
        repeats = not step and _repeats(code, self.mode)
        self._fault = None
        end = start + len(code) if repeats else (1 << 64) - 1
        error = self._start(start, end, 0 if repeats else 1)
        if error and self._fault is None:
            invalid = error == unicorn.UC_ERR_INSN_INVALID
            self._fault = (6 if invalid else int(Outcome.REFUSED), 0, 0)
        vector, error_code, address = self._fault or (int(Outcome.DONE), 0, 0)
        state["vector"], state["error_code"], state["cr2"] = vector, error_code, address
        self._keep(state)

    def _start(self, begin: int, end: int, count: int) -> int:
        """Run, and return Unicorn's error number."""
        try:
            self._uc.emu_start(begin, end, count=count)
        except unicorn.UcError as error:
            return int(error.errno)
        return 0

    def _place(self, code: bytes, start: int) -> None:
        layout = self.layout
        image = bytearray(b"\xcc" * layout.code_size)
        offset = start - layout.code_base
        image[offset : offset + len(code)] = code
        del image[layout.code_size :]
        if image == self._placed:
            return
        self._uc.mem_write(layout.code_base, bytes(image))
        self._uc.ctl_remove_cache(layout.code_base, layout.code_end)
        self._placed = bytes(image)

    def _load(self, state: np.void) -> None:
        self._uc.mem_write(int(state["mem_base"]), state["mem"].tobytes())
        image = _FX.pack(
            *(int(state[name]) for name in ("fcw", "fsw", "ftw", "fop", "fip", "fdp", "mxcsr")), 0
        )
        image += state["st"].tobytes() + np.ascontiguousarray(state["ymm"][:, :2]).tobytes()
        self._uc.mem_write(self._scratch, image)
        self._fx(_FXRSTOR)
        registers = zip(self._gprs, state["gpr"].tolist(), strict=False)
        self._uc.reg_write_batch([*registers, (x86.UC_X86_REG_EFLAGS, int(state["rflags"]))])

    def _fx(self, digit: int) -> None:
        begin = self._scratch + 0x800 + 16 * digit
        error = self._start(begin, begin + len(self._fx_code(digit)), 1)
        if error:
            raise RuntimeError(f"Unicorn failed in FXSAVE or FXRSTOR with error {error}")

    def _keep(self, state: np.void) -> None:
        registers = [*self._gprs, *_SREGS, self._ip, x86.UC_X86_REG_EFLAGS]
        values = list(self._uc.reg_read_batch(registers))
        count = len(self._gprs)
        state["gpr"][:count] = values[:count]
        state["sreg"] = values[count : count + 6]
        state["rip"], state["rflags"] = values[-2], values[-1] & 0xFFFF_FFFF
        self._keep_memory(state)
        self._fx(_FXSAVE)
        image = bytes(self._uc.mem_read(self._scratch, 512))
        names = ("fcw", "fsw", "ftw", "fop", "fip", "fdp", "mxcsr")
        for name, value in zip(names, _FX.unpack_from(image), strict=False):
            state[name] = value
        state["st"] = np.frombuffer(image, state["st"].dtype, 8, 32)
        state["st"]["unused"] = 0
        state["ymm"][:, :2] = np.frombuffer(image, "<u8", 32, 160).reshape(16, 2)

    def _keep_memory(self, state: np.void) -> None:
        data = bytes(self._uc.mem_read(self.layout.data_base, DATA_SIZE))
        base = int(state["mem_base"])
        offset = base - self.layout.data_base
        state["mem"] = np.frombuffer(data, np.uint8, MEM_SIZE, offset)
        state["stray"] = stray_hash(data, base, self.layout)
        self._uc.mem_write(self.layout.data_base, bytes(DATA_SIZE))


def _split(code: bytes, mode: int) -> tuple[bytes, bytes]:
    """Split an instruction into its prefixes, REX included, and the rest."""
    rest = code.lstrip(_LEGACY + (bytes(range(0x40, 0x50)) if mode == 64 else b""))
    return code[: len(code) - len(rest)], rest


def _repeats(code: bytes, mode: int) -> bool:
    """Tell whether the instruction is a string instruction with REP: it is run to its end."""
    prefixes, rest = _split(code, mode)
    return rest[:1] in _STRINGS and bool(rest) and bool({0xF2, 0xF3} & set(prefixes))


def _aborts(code: bytes, mode: int) -> bool:
    """Tell whether Unicorn 2.1 kills the process: LOCK BTS, BTR or BTC of a register."""
    prefixes, rest = _split(code, mode)
    bit_test = rest[:1] == b"\x0f" and rest[1:2] in b"\xa3\xab\xb3\xbb\xba"
    return 0xF0 in prefixes and bit_test and len(rest) > 2 and rest[2] >= 0xC0
