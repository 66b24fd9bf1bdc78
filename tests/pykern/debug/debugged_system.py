"""A system with pykern's kernel, and a gdb with a script at the door of its OS view."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from images import prebuilt
from pykern.debug.debugged_machine import DebuggedMachine
from pykern.debug.machine_target import MachineTarget
from pykern.debug.os_view.os_target import OsTarget
from tests.booting import packaged
from tests.pykern.debug.scripted import ScriptedGdb
from tests.pykern.kernel import hosted

GUESTS = Path(__file__).parent / "guests"
PLACES = ("-Wl,--section-start=.same=0x700000", "-Wl,--section-start=.samedata=0x710000")
FLAGS = ("-O1", "-g", "-static", "-no-pie", "-pthread", *PLACES)
SAME = 0x700000
"""Where `work` of family is, and `rest` of sibling."""
SAME_DATA = 0x710000
"""Where `total` of family is, and `left` of sibling."""


@functools.cache
def _folder():
    return tempfile.TemporaryDirectory(prefix="debugged")


@functools.cache
def program(name):
    """Return a program of `guests/`; skip where it cannot be compiled."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc on this host")
    path = Path(_folder().name) / name
    command = ["gcc", *FLAGS, str(GUESTS / f"{name}.c"), "-o", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cannot find -lc" in done.stderr:
        pytest.skip("no static C library on this host")
    assert not done.returncode, done.stderr
    return path.read_bytes()


def symbol(name, symbol):
    """Return the address of a program's symbol."""
    program(name)
    listed = subprocess.run(
        ["nm", str(Path(_folder().name) / name)], capture_output=True, text=True, check=True
    )
    return int(re.search(rf"^(\w+) \w {symbol}$", listed.stdout, re.MULTILINE)[1], 16)


class Gdb(ScriptedGdb):
    """A gdb that knows of processes; its script may look at `last`."""

    features = (
        "multiprocess+;swbreak+;hwbreak+;fork-events+;vfork-events+;exec-events+;error-message+"
    )

    at_stop = tuple
    """Yields what to ask at a stop."""

    @property
    def last(self):
        """Return the last reply."""
        return self.replies[-1]

    @property
    def stops(self):
        """Return all stop replies, without the expedited registers."""
        found = (r for r in self.replies if r[:1] in set("TWXw"))
        return [re.sub(r"(?<=;)(core|[0-9a-f]{2}):[^;]*;", "", reply) for reply in found]


def play(script, first="family", cpus=1, command_line=""):
    """Run a system to its end while a gdb follows a script, from the first instruction on.

    Parameters
    ----------
    script : a generator function; it is given the gdb
    """
    packaged()
    kernel_image = prebuilt.kernel().read_bytes()
    files = {"/sbin/init": program(first), "/bin/sibling": program("sibling")}
    files |= {"/bin/fault": prebuilt.programs()["fault"].read_bytes()}
    system = hosted.make(kernel_image, files=files, cpus=cpus, command_line=command_line)
    processors = MachineTarget(system.machine, str, kernel_image, "/boot/pykern.elf")
    target = OsTarget(system.host, processors)
    target.halt()

    def lines():
        yield from script(gdb)

    gdb = Gdb(target, lines())
    system.session.machine = DebuggedMachine(target, gdb, wait=True)
    system.target = target
    system.run()
    return system, gdb
