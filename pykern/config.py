"""What a user asks of a machine, as a frozen value, and how the command line spells its parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

NS_PER_SECOND = 1_000_000_000
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
_UNITS = {"": MIB, "k": KIB, "m": MIB, "g": GIB, "b": 1}
_SIZE = re.compile(r"(\d+)\s*([bkmg]?)(?:i?b)?", re.IGNORECASE)

MAX_CPUS = 64
CPU_MODELS = ("v1", "v2", "max")
CLOCKS = ("virtual", "host")
MAX_WIDTH, MAX_HEIGHT = 2560, 1600  # what fits 16 MiB of display memory
# Processors of a machine, by the name that --preset takes.
PRESETS = {"single": 1, "debug": 2, "smp2": 2, "smp4": 4}
TRACES = ("insn", "int", "mmio")
# In a kernel image, in front of the command line that is built into it (image/limine.c).
BUILT_IN_MARK, BUILT_IN_SIZE = b"PYKERN COMMAND LINE:", 256


@dataclass(frozen=True)
class SerialSpec:
    """Where the first serial port goes: `stdio`, `null`, or `file` with its path."""

    kind: str = "stdio"
    path: Path | None = None


@dataclass(frozen=True)
class HashSpec:
    """How often the state is hashed, in ns of virtual time, and where to; None: stderr."""

    interval_ns: int
    path: Path | None = None


@dataclass(frozen=True)
class Resolution:
    """Pixels of a linear framebuffer."""

    width: int
    height: int


DEFAULT_RESOLUTION = Resolution(1024, 768)


def parse_size(text: str) -> int:
    """Return the bytes of `512M`, `1G`, `640K`; a bare number counts MiB, as with QEMU's -m."""
    match = _SIZE.fullmatch(text.strip().removeprefix("size="))
    if match is None:
        raise ValueError(f"memory size {text!r}, expected a number and K, M or G, such as 512M")
    size = int(match[1]) * _UNITS[match[2].lower()]
    if not MIB <= size <= 1 << 40:
        raise ValueError(f"memory size {text!r} is {size} bytes, expected 1 MiB to 1 TiB")
    return size


DEFAULT_HISTORY = 1 << 30


def parse_history(text: str) -> int:
    """Return the bytes of `1G`, as `parse_size` does; 0: none."""
    return 0 if text == "0" else parse_size(text)


def parse_cpus(text: str) -> int:
    """Return the number in `4` or QEMU's `cpus=4`."""
    number = text.removeprefix("cpus=")
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= MAX_CPUS:
        raise ValueError(f"{text!r} processors, expected 1 to {MAX_CPUS}")
    return int(number)


def parse_seconds(text: str) -> int:
    """Return the nanoseconds of a decimal number of seconds, exactly."""
    match = re.fullmatch(r"(\d+)(?:\.(\d{1,9}))?", text)
    if match is None:
        raise ValueError(f"{text!r} seconds, expected a number such as 10 or 0.25")
    return int(match[1]) * NS_PER_SECOND + int((match[2] or "0").ljust(9, "0"))


def parse_resolution(text: str) -> Resolution | None:
    """Return the meaning of `1024x768`; `none` is no framebuffer."""
    if text == "none":
        return None
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None:
        raise ValueError(f"framebuffer {text!r}, expected WIDTHxHEIGHT such as 1024x768, or none")
    size = Resolution(int(match[1]), int(match[2]))
    if not (1 <= size.width <= MAX_WIDTH and 1 <= size.height <= MAX_HEIGHT):
        raise ValueError(f"framebuffer of {text} pixels, expected 1x1 to {MAX_WIDTH}x{MAX_HEIGHT}")
    return size


def parse_number(text: str) -> int:
    """Return a decimal, 0x, 0o or 0b number that is not negative."""
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if number < 0:
        raise ValueError(f"{text!r}, expected a number such as 4096 or 0x1000")
    return number


def parse_serial(text: str) -> SerialSpec:
    """Return the meaning of `stdio`, `null` or `file:PATH`; QEMU's `mon:stdio` is `stdio`."""
    kind, _, path = text.partition(":")
    if text in {"stdio", "mon:stdio"}:
        return SerialSpec("stdio")
    if text in {"null", "none"}:
        return SerialSpec("null")
    if kind == "file" and path:
        return SerialSpec("file", Path(path))
    raise ValueError(f"serial port {text!r}, expected stdio, null or file:PATH")


def parse_hashing(text: str) -> HashSpec:
    """Return the meaning of `NS` or `NS:FILE`."""
    interval, _, path = text.partition(":")
    ns = parse_number(interval)
    if ns == 0:
        raise ValueError("an interval of 0 ns, expected at least 1")
    return HashSpec(ns, Path(path) if path else None)


def parse_traces(text: str) -> frozenset[str]:
    """Return the set of a comma-separated list of `TRACES`."""
    names = frozenset(filter(None, text.split(",")))
    unknown = sorted(names - set(TRACES))
    if unknown or not names:
        raise ValueError(f"trace {','.join(unknown)!r}, expected some of {','.join(TRACES)}")
    return names


# QEMU's names of what its -d can log, and what shows the same here.
_QEMU_LOG_ITEMS = {"int": "int", "in_asm": "insn", "exec": "insn", "nochain": ""}


def parse_qemu_log(text: str) -> frozenset[str]:
    """Return the traces that QEMU's `-d LIST` asks for."""
    items = text.split(",")
    unknown = sorted(set(items) - set(_QEMU_LOG_ITEMS))
    if unknown:
        raise ValueError(
            f"-d item {','.join(unknown)!r}, expected some of {','.join(_QEMU_LOG_ITEMS)}; "
            f"--trace has {','.join(TRACES)}"
        )
    return frozenset(filter(None, map(_QEMU_LOG_ITEMS.__getitem__, items)))
