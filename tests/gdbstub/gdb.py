"""Debian's gdb, driven by its machine interface: wait for the result, never for silence."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from pygdbmi.gdbcontroller import GdbController

ROOT = Path(__file__).resolve().parents[2]
GDB = os.environ.get("PYKERN_GDB") or shutil.which("gdb")
_TRIES = int(os.environ.get("PYKERN_GDB_TRIES", "60"))
"""Seconds before a test gives up on an answer."""
_SETTINGS = (
    *("confirm off", "pagination off", "debuginfod enabled off", "sysroot target:"),
    "remotetimeout 60",  # of 2 seconds, which a busy host takes for nothing
)


class GdbError(Exception):
    """What gdb said instead of doing what it was told."""


class Gdb:
    """One gdb.

    Attributes
    ----------
    records : everything it has said, in order
    """

    def __init__(self):
        command = [GDB, "--nx", "--quiet", "--interpreter=mi3", f"--cd={ROOT}"]
        command += [word for setting in _SETTINGS for word in ("-iex", f"set {setting}")]
        self._controller = GdbController(command, time_to_check_for_additional_output_sec=0.001)
        self._tokens = itertools.count(1)
        self.records = []
        self._seen = 0

    def do(self, command):
        """Execute a command of the machine interface; return the payload of its result.

        Raises
        ------
        GdbError : it was an error
        """
        token = next(self._tokens)
        self._controller.write(f"{token}{command}", read_response=False)
        result = self._wait(lambda r: r["type"] == "result" and r["token"] == token)
        if result["message"] == "error":
            raise GdbError(result["payload"]["msg"])
        return result["payload"]

    def type(self, command):
        """Execute a command as a user types it; return what it prints."""
        start = len(self.records)
        quoted = command.replace("\\", "\\\\").replace('"', '\\"')
        self.do(f'-interpreter-exec console "{quoted}"')
        said = (r for r in self.records[start:] if r["type"] in {"console", "target"})
        return "".join(r["payload"] for r in said)

    def go(self, command):
        """Execute a command that lets the target run; return the payload of the next stop."""
        self._seen = len(self.records)
        self.type(command) if not command.startswith("-") else self.do(command)
        return self.stop()

    def stop(self):
        """Return the payload of the first stop that `go` has not returned yet."""
        found = self._wait(lambda r: r["message"] == "stopped", self._seen)
        self._seen = self.records.index(found, self._seen) + 1
        return found["payload"]

    def _wait(self, wanted, start=None):
        at = len(self.records) if start is None else start
        for _ in range(_TRIES):
            for record in self.records[at:]:
                if wanted(record):
                    return record
            at = len(self.records)
            self.records += self._controller.get_gdb_response(1, raise_error_on_timeout=False)
        raise AssertionError(f"gdb does not answer; its last words: {self.records[-20:]}")

    def interrupt(self):
        """Type Ctrl-C."""
        self._seen = len(self.records)
        self._controller.gdb_process.send_signal(signal.SIGINT)

    def value(self, expression):
        """Return an expression's value as text."""
        return self.do(f'-data-evaluate-expression "{expression}"')["value"]

    def close(self):
        """End it, whatever it waits for."""
        self._controller.gdb_process.kill()
        self._controller.exit()


class Guest:
    """`pykern boot`, with a doorway for gdb at a unix socket, or where `listen` says."""

    def __init__(self, folder, *arguments, wait=True, listen=None, view="--gdb"):
        where = listen or f"unix:{folder / 'gdb.sock'}"
        self.serial = folder / "serial"
        command = [sys.executable, "-m", "pykern", "boot", view, where]
        command += ["--serial", f"file:{self.serial}", *(["-S"] if wait else []), *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        self.said = self.process.stderr.readline()
        assert "target remote" in self.said, self.said + self.process.stderr.read()
        self.address = self.said.split()[-1].rstrip("'")

    def end(self):
        """Wait for its end; return the exit status and what it said."""
        said = self.process.communicate(timeout=_TRIES)[1]
        return self.process.returncode, said

    def close(self):
        """End it."""
        self.process.kill()
        self.process.communicate()
