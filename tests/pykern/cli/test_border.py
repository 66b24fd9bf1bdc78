"""Two machines in two processes of the host, and a process that goes from one to the other.

`python -m pykern boot` as a user types it, default image. Between the two there may be a relay,
which reads the messages and stops at one of them, so that either side is killed at a known point.
"""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import images
from pykern.cli import arguments
from pykern.cli.border import Border
from pykern.cli.errors import UsageError
from pykern.cli.terminal import NoInput
from pykern.kernel.core.errno import SysError
from pykern.kernel.migration.wire import Type, pack, parse
from tests import booting
from tests.pykern.kernel.migration.test_checkpoint import FILE

pytestmark = pytest.mark.slow

BOOT = (sys.executable, "-m", "pykern", "boot", "--smp", "1", "-m", "32M", "--framebuffer", "none")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(images.__file__).parents[1])}
PATIENCE_S = 60
LAST = 120
COUNT = f"count {LAST} 5"
DONE = f"counted to {LAST}"


class Boot:
    """A machine at whose serial port we sit.

    Parameters
    ----------
    typed : what is there to be read before the machine is
    """

    def __init__(self, *options: str, typed: str = "") -> None:
        read, write = os.pipe()
        self._keys = os.fdopen(write, "wb", buffering=0)
        self._keys.write(f"{typed}\n".encode() if typed else b"")
        self._process = subprocess.Popen(
            [*BOOT, *options],
            stdin=read,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        )
        os.close(read)
        self.out = self.notes = ""

    def __enter__(self) -> Boot:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in (self._keys, self._process.stdout, self._process.stderr):
            stream.close()

    def kill(self) -> None:
        """Send SIGKILL, and read what was said before."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.out += self._process.stdout.read().decode() if not self._process.stdout.closed else ""

    def type(self, line: str) -> None:
        self._keys.write(f"{line}\n".encode())

    def expect(self, text: str) -> None:
        """Read the console until there is a text."""
        while text not in self.out:
            self.out += self._read(self._process.stdout, text)

    def told(self, pattern: str) -> str:
        """Read stderr until there is a line with a pattern; return what that has found."""
        while (found := re.search(pattern, self.notes)) is None:
            self.notes += self._read(self._process.stderr, pattern)
        return found[0]

    def _read(self, stream, wanted: str) -> str:
        ready = select.select([stream], [], [], PATIENCE_S)[0]
        data = os.read(stream.fileno(), 4096) if ready else b""
        assert data, f"expected {wanted!r}, got {self.out[-500:]!r} and {self.notes!r}"
        return data.decode()

    def turn_off(self) -> int:
        self.type("poweroff")
        self.out += self._process.stdout.read().decode()
        self.notes += self._process.stderr.read().decode()
        return self._process.wait(PATIENCE_S)

    @property
    def so_far(self) -> str:
        """Everything that is on the console by now."""
        while select.select([self._process.stdout], [], [], 0)[0]:
            self.out += self._read(self._process.stdout, "anything")
        return self.out

    @property
    def counted(self) -> list[int]:
        return [int(n) for n in re.findall(r"^(?:/ # )?(\d+)\r?$", self.out, re.MULTILINE)]


class Relay:
    """Stands between source and target, and knows what it passes on."""

    def __init__(self, place: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._target = socket.create_connection(("127.0.0.1", int(place.rpartition(":")[2])))
        self._source: socket.socket | None = None
        self.passed: list[Type] = []
        self.place = f"tcp:127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, self._source, self._target):
            if each is not None:
                each.close()

    def run_until(self, held: Type, number: int = 1, *, one_way: bool = False) -> None:
        """Pass messages on until the `number`th of a type has come, which waits here.

        Parameters
        ----------
        one_way : what the source says waits as well
        """
        if self._source is None:
            self._listener.settimeout(PATIENCE_S)
            self._source, _ = self._listener.accept()
            self._read = {self._source: bytearray(), self._target: bytearray()}
        listened = [self._target] if one_way else [self._source, self._target]
        while not any(self._pass_on(each, held, number) for each in listened):
            ready = select.select(listened, [], [], PATIENCE_S)[0]
            assert ready, f"{held.name} has not come; {self.passed}"
            for each in ready:
                self._read[each] += each.recv(1 << 16)

    def finish(self) -> None:
        """Pass on what is left, and the end of it."""
        self.run_until(Type.END)
        self._target.sendall(pack(Type.END))
        while self._target.recv(1 << 16):
            pass
        self._source.close()

    def _pass_on(self, each: socket.socket, held: Type, number: int) -> bool:
        other = self._source if each is self._target else self._target
        while (found := parse(self._read[each])) is not None:
            message, end = found
            if message.type is held and self.passed.count(held) == number - 1:
                return True
            del self._read[each][:end]
            self.passed.append(message.type)
            other.sendall(pack(*message))
        return False


@pytest.fixture(scope="module", autouse=True)
def _packaged():
    booting.packaged()


@pytest.fixture
def target():
    with Boot("--incoming", "tcp:0") as booted:
        booted.place = booted.told(r"tcp:127\.0\.0\.1:\d+")
        yield booted


def test_a_process_moves_when_the_command_line_says_so(target):
    """MYR-25: pre-copy; 1 to N on two consoles, nothing lost, nothing twice."""
    with Boot("--migrate", f"count@0.3:{target.place}", typed=COUNT) as source:
        target.expect(DONE)
        report = source.told(r"migration of process \d+ \(count\).*completed.*")
        assert re.search(r"[2-9] rounds, \d+ pages, \d+ bytes, stood still for \d+ ns", report)
        assert source.turn_off() == target.turn_off() == 0
    assert "arrival of process" in target.notes
    assert source.counted + target.counted == list(range(1, LAST + 1))
    assert min(len(source.counted), len(target.counted)) > 20


def test_a_guest_sends_its_process_before_its_memory(target):
    """MYR-25: post-copy, asked for in /proc; a page that has not come is asked for."""
    with Relay(target.place) as relay, Boot("--migrate-to", relay.place) as source:
        source.type(f"{COUNT} & sleep 0.3; echo $! post-copy >/proc/migration; wait; echo left")
        relay.run_until(Type.PAGE)
        relay.run_until(Type.PULL, one_way=True)
        assert "\nleft" not in source.so_far
        relay.finish()
        source.expect("\nleft\r")
        target.expect(DONE)
        source.type("cat /proc/migration")
        source.expect("completed, ")
        assert source.turn_off() == target.turn_off() == 0
    assert re.search(r"completed, [1-9]\d* pulled", target.notes)
    assert re.search(r"post-copy migration of .* completed, \d\d+ pages", source.out)
    assert source.counted + target.counted == list(range(1, LAST + 1))


@pytest.mark.parametrize(
    ("held", "number"),
    [(Type.PAGE, 10), (Type.READY, 1), (Type.COMMIT, 1)],
    ids=["pages come", "it has all", "it is about to run"],
)
def test_the_target_is_killed(target, held, number):
    """MYR-25: kill -9 of the target's host process: the process goes on where it was."""
    with (
        Relay(target.place) as relay,
        Boot("--migrate", f"count@0.3:{relay.place}", typed=COUNT) as source,
    ):
        relay.run_until(held, number)
        target.kill()
        relay.__exit__()
        source.expect(DONE)
        assert source.turn_off() == 0
        assert "failed, the other side is gone" in source.notes
    assert source.counted == list(range(1, LAST + 1))
    assert target.counted == []


@pytest.mark.parametrize("held", [Type.COMMIT, Type.RUNNING])
def test_the_source_is_killed_when_the_target_has_all(target, held):
    """MYR-25: kill -9 of the source's host process: the target has all of it, and it goes on."""
    with (
        Relay(target.place) as relay,
        Boot("--migrate", f"count@0.3:{relay.place}", typed=COUNT) as source,
    ):
        relay.run_until(held)
        source.kill()
        relay.__exit__()
        target.expect(DONE)
        assert target.turn_off() == 0
    assert source.counted + target.counted == list(range(1, LAST + 1))


def test_the_source_is_killed_before_that(target):
    """MYR-25: it dies with its machine, nothing of it is left over there, nothing runs twice."""
    with (
        Relay(target.place) as relay,
        Boot("--migrate", f"count@0.3:{relay.place}", typed=COUNT) as source,
    ):
        relay.run_until(Type.PAGE, 10)
        source.kill()
        relay.__exit__()
        target.told("arrival, .*: failed, the other side is gone")
        target.type("ps")
        assert target.turn_off() == 0
    assert source.counted == list(range(1, len(source.counted) + 1))
    assert "count" not in target.out.partition("ps")[2]
    assert target.counted == []


def test_a_process_is_kept_in_a_file(tmp_path):
    """MYR-25: checkpoint and restore; the machine in between was killed."""
    file = tmp_path / "count.checkpoint"
    with Boot("--checkpoint", f"count@0.3:{file}", typed=COUNT) as first:
        first.told("checkpoint of process .*completed")
        first.kill()
    with Boot("--restore", str(file)) as second:
        second.expect(DONE)
        assert second.turn_off() == 0
    assert first.counted + second.counted == list(range(1, LAST + 1))
    assert min(len(first.counted), len(second.counted)) > 20


def ask(link: socket.socket, request: str) -> str:
    """Send a packet as gdb does; return the reply, or the text that `monitor` prints."""
    raw = request.encode()
    link.sendall(b"$%b#%02x" % (raw, sum(raw) & 0xFF))
    said, text = b"", ""
    while True:
        packets = re.findall(rb"\$([^#]*)#..", said)
        text = "".join(
            bytes.fromhex(p[1:].decode()).decode() for p in packets if p[:1] == b"O" and p != b"OK"
        )
        if packets and (packets[-1][:1] != b"O" or packets[-1] == b"OK"):
            if request != "D":  # behind that nobody may be there any more
                link.sendall(b"+" * len(packets))
            last = packets[-1].decode()
            is_text = request.startswith("qRcmd") and not last.startswith("E") and last != "OK"
            return text + (bytes.fromhex(last).decode() if is_text else "" if text else last)
        ready = select.select([link], [], [], PATIENCE_S)[0]
        assert ready, said
        said += link.recv(4096)


def monitor(link: socket.socket, command: str) -> str:
    return ask(link, f"qRcmd,{command.encode().hex()}")


def test_gdb_sends_a_process_and_keeps_another(target, tmp_path):
    """MYR-25: `monitor migrate`, `monitor checkpoint`, `monitor info migrate`, while it runs."""
    file, door = tmp_path / "kept", tmp_path / "gdb"
    options = ("--gdb-os", f"unix:{door}", "--history", "0")
    with Boot(*options) as source, socket.socket(socket.AF_UNIX) as link:
        source.told("target remote")
        source.type("sleep 1000 & echo kept $!; count 1000000 & echo sent $!.")
        source.expect(".\r\n")
        source.expect("\n30\r")
        kept, sent = re.search(r"kept (\d+).*sent (\d+)", source.out, re.DOTALL).groups()
        link.connect(str(door))
        assert ask(link, "?").startswith("T")
        assert "stays: the first process stays" in monitor(link, "migrate 1 tcp:1")
        assert "begins when" in monitor(link, f"migrate {sent} {target.place}")
        assert "begins when" in monitor(link, f"checkpoint {kept} {file} --leave-running")
        assert ask(link, "D") == "OK"
        source.told("migration of process .* completed")
        source.told("checkpoint of process .* completed")
        target.expect("\n2000\r")
        source.type("ps; echo end")
        source.expect("\nend")
        left = re.findall(
            r"^ *\d+ .* (count|sleep)\b", source.out.rpartition("PID")[2], re.MULTILINE
        )
        assert left == ["sleep"]
    assert file.read_bytes().startswith(b"pykern checkpoint 1\n")
    joined = source.counted + target.counted
    assert joined == list(range(1, len(joined) + 1))


def border(*options, **more):
    args = arguments.parse(["boot", *options])
    args.keeper = more.get("keeper")
    return Border(args, None, NoInput(), more.get("note", print))


def test_nothing_leaves_where_time_can_go_back():
    """What has left a machine cannot be taken back; the error says what to do."""
    with pytest.raises(SysError, match="boot with --history 0"):
        border(keeper=object()).check_open()
    border().check_open()


def test_a_file_that_is_there_is_never_written_over(tmp_path):
    """It may be the only copy of a process."""
    file = tmp_path / "kept"
    border().write(str(file), b"first")
    with pytest.raises(FileExistsError):
        border().write(str(file), b"second")
    assert file.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(FileNotFoundError):
        border().write(str(tmp_path / "no" / "kept"), b"first")


def test_the_guest_reaches_nobody_whom_the_command_line_does_not_name():
    """An empty address is the operator's; without one there is none."""
    with pytest.raises(SysError, match="no --migrate-to"):
        border().connect("")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"tcp:{listener.getsockname()[1]}"
        crossing, _ = border("--migrate-to", address).connect("")
        crossing.close()
    with pytest.raises(SysError, match="Connection refused"):
        border().connect(address)
    with pytest.raises(SysError, match="not of this host alone"):
        border().connect("tcp:10.0.0.1:1")


def test_what_has_not_come_to_pass_is_told(tmp_path):
    """A process that was to leave after the end of the run."""
    notes = []
    file = tmp_path / "kept"
    file.write_bytes(FILE)
    border("--migrate", "x@7:tcp:1", "--restore", str(file), note=notes.append).ended()
    assert notes[0] == "pykern: x@7: the run ended before"
    assert str(file) in notes[1]
    with pytest.raises(UsageError, match=r"--restore .*: No such file"):
        border("--restore", str(tmp_path / "none"))
    file.write_bytes(FILE[:-1])
    with pytest.raises(UsageError, match=rf"--restore {file}: .* is not whole"):
        border("--restore", str(file))
