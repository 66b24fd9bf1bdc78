"""A program at a terminal of its own, for tests that type."""

from __future__ import annotations

import os
import pty
import select
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

# Only a program that hangs waits so long.
PATIENCE_S = 30


class Terminal:
    """Start a program as the leader of a session, and talk to it."""

    def __init__(self, argv: Sequence[str], environment: dict[str, str], directory: Path) -> None:
        self._text = ""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execve(argv[0], list(map(str, argv)), environment)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)

    def send(self, text: str) -> None:
        """Type text."""
        os.write(self._fd, text.encode())

    def expect(self, text: str) -> None:
        """Read until the text has come, and forget what came up to it."""
        while text not in self._text:
            ready = select.select([self._fd], [], [], PATIENCE_S)[0]
            assert ready, f"expected {text!r}, got {self._text!r}"
            self._text += os.read(self._fd, 4096).decode().replace("\r", "")
        self._text = self._text.partition(text)[2]

    def wait(self) -> int:
        """Wait for the end of the program; return its exit status."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return status

    def wait_until_runs(self, name: str) -> None:
        """Wait until a child of that name has the foreground and sleeps in a system call."""
        self._wait_for(name, "S", foreground=True)

    def wait_until_stopped(self, name: str) -> None:
        """Wait until a child of that name is stopped."""
        self._wait_for(name, "T", foreground=False)

    def _wait_for(self, name: str, state: str, *, foreground: bool) -> None:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        if not children.exists():
            pytest.skip("this kernel does not list the children of a process")
        for _ in range(200_000):
            for child in children.read_text(encoding="ascii").split():
                try:
                    stat = Path(f"/proc/{child}/stat").read_text(encoding="utf-8")
                except OSError:  # it ended meanwhile
                    continue
                fields = stat.rpartition(")")[2].split()
                in_front = fields[2] == fields[5]  # pgrp, tpgid
                if f"({name})" in stat and fields[0] == state and in_front == foreground:
                    return
            os.sched_yield()
        raise AssertionError(f"no child {name} of {self.pid} came into state {state}")
