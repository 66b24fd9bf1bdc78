"""Other emulators installed on this host, QEMU (TCG) and Bochs, without display, disk or BIOS."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
from typing import TYPE_CHECKING

from pykern.bench.machines import DEBUG_EXIT_PORT, RAM_MIB, Outcome, RunError, Runner, checksum

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_SECONDS = 120

_BOCHS_CONFIGURATION = """\
display_library: {display}
romimage: file={rom}
vgaromimage: file={vga_rom}
memory: guest={ram}, host={ram}
boot: disk
log: {log}
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
port_e9_hack: enabled=1
cpu: model=corei5_lynnfield_750, count=1, ips=2000000000, reset_on_triple_fault=0
clock: sync=none
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
plugin_ctrl: speaker=0, biosdev=0, extfpuirq=0, parallel=0, serial=0, gameport=0, usb_uhci=0
"""
# No display at all, a terminal that nobody looks at, a VNC server that nobody connects to.
_BOCHS_DISPLAYS = ("nogui", "term", 'rfb, options="timeout=0"')
_BOCHS_TICKS = re.compile(r"^(\d+)i\[SIM ", re.MULTILINE)


class Qemu:
    """QEMU's system emulator with its translator, one thread for all CPUs."""

    def __init__(self, program: str, directory: Path) -> None:
        self.name = "qemu"
        self.version = _first_line(program, "--version")
        self._rom = directory / "qemu.rom"
        self._command = (
            *(program, "-nodefaults", "-display", "none", "-vga", "none", "-no-reboot"),
            *("-machine", "pc", "-cpu", "max", "-accel", "tcg,thread=single", "-m", str(RAM_MIB)),
            *("-bios", str(self._rom), "-debugcon", "stdio"),
            *("-device", f"isa-debug-exit,iobase={DEBUG_EXIT_PORT:#x},iosize=1"),
        )

    def run(self, rom: bytes) -> Outcome:
        """Boot the ROM as the PC's firmware."""
        self._rom.write_bytes(rom)
        console, seconds = _spend(self.name, self._command)
        return Outcome(checksum(self.name, console), seconds)


class Bochs:
    """Bochs, with or without its debugger compiled in."""

    def __init__(self, program: str, directory: Path) -> None:
        self.name = "bochs"
        usage = _output(program, "--help")
        found = re.search(r"Bochs x86 Emulator \S+", usage)
        self.version = found[0] if found else "Bochs"
        self._has_debugger = "-rc " in usage
        self._program = program
        self._directory = directory
        self._display = ""

    def run(self, rom: bytes) -> Outcome:
        """Boot the ROM as the PC's BIOS; Bochs' log tells how many instructions that took."""
        (self._directory / "bochs.rom").write_bytes(rom)
        if not self._display:
            self._display = self._choose_display()
        return self._run(self._display)

    def _choose_display(self) -> str:
        errors = []
        for display in _BOCHS_DISPLAYS:
            try:
                self._run(display)
            except RunError as error:
                errors.append(str(error))
                continue
            return display
        raise RunError("\n".join(errors))

    def _run(self, display: str) -> Outcome:
        here = self._directory
        log = here / "bochs.log"
        log.unlink(missing_ok=True)
        (here / "vga.rom").write_bytes(_empty_option_rom())
        (here / "bochs.rc").write_text("c\nq\n")
        configuration = here / "bochsrc"
        configuration.write_text(
            _BOCHS_CONFIGURATION.format(
                display=display,
                rom=here / "bochs.rom",
                vga_rom=here / "vga.rom",
                log=log,
                ram=RAM_MIB,
            )
        )
        debugger = ("-rc", str(here / "bochs.rc")) if self._has_debugger else ()
        console, seconds = _spend(
            self.name, (self._program, "-q", "-f", str(configuration), *debugger)
        )
        ticks = _BOCHS_TICKS.findall(log.read_text(errors="replace")) if log.exists() else []
        return Outcome(checksum(self.name, console), seconds, int(ticks[-1]) if ticks else None)


def find(names: list[str], directory: Path) -> list[Runner]:
    """Return those of the peers ``qemu`` and ``bochs`` that are named and installed.

    Parameters
    ----------
    names : list of str
        Peers asked for.
    directory : Path
        Where their files go.
    """
    runners: list[Runner] = []
    qemu = shutil.which("qemu-system-x86_64")
    if "qemu" in names and qemu:
        runners.append(Qemu(qemu, directory))
    # Debian's `bochs` is a script around `bochs-bin`.
    bochs = shutil.which("bochs-bin") or shutil.which("bochs")
    if "bochs" in names and bochs:
        runners.append(Bochs(bochs, directory))
    return runners


def _empty_option_rom() -> bytes:
    rom = bytearray(512)
    rom[:4] = b"\x55\xaa\x01\xcb"  # signature, length in 512-byte blocks, RETF
    rom[-1] = -sum(rom) & 0xFF
    return bytes(rom)


def _spend(name: str, command: tuple[str, ...]) -> tuple[bytes, float]:
    """Run a command to its end; return its output and the CPU time it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Bochs' terminal display refuses to start without a terminal type.
    environment = {**os.environ, "TERM": "dumb"}
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(
            f"{name}: still running after {TIMEOUT_SECONDS} s; it printed {error.stdout!r}"
        ) from error
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return result.stdout + result.stderr, spent


def _output(*command: str) -> str:
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return result.stdout + result.stderr


def _first_line(*command: str) -> str:
    lines = _output(*command).splitlines()
    return lines[0] if lines else command[0]
