"""Sends the same packets to QEMU's stub and to pykern's, and prints what each answers as a table.

`python -m tests.gdbstub.compare_qemu` writes the table of docs/gdb.md. Both run the same boot
sector, stopped before its first instruction or a few steps later; QEMU needs qemu-system-x86_64.
"""

from __future__ import annotations

import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from gdbstub.packet import Decoder, Mark, frame

# 16-bit code at 7C00h: loop: incw 0x500; mov 0x600, %ax; jmp loop
SECTOR = bytes.fromhex("ff060005 a10006 ebf7").ljust(510, b"\0") + b"\x55\xaa"
SUPPORTED = (
    "qSupported:multiprocess+;swbreak+;hwbreak+;fork-events+;vfork-events+;exec-events+;"
    "vContSupported+;QThreadEvents+;QThreadOptions+;no-resumed+;error-message+;xmlRegisters=i386"
)
# What it is for, and the packets; the reply to the last one is shown. In order: each goes on from
# where the one before has left the machine.
ROWS = (
    ("features", (SUPPORTED,)),
    ("acknowledgements off", ("QStartNoAckMode",)),
    ("an unknown request", ("vMustReplyEmpty",)),
    ("ways of going on", ("vCont?",)),
    ("`vCont` without an action", ("vCont",)),
    ("threads, all at once", ("qXfer:threads:read::0,fff",)),
    ("words about a thread that is not there", ("qThreadExtraInfo,p1.99",)),
    ("the file that runs", ("qXfer:exec-file:read:1:0,fff",)),
    ("files of the target", ("vFile:setfs:0",)),
    ("tables of the system", ("qXfer:osdata:read::0,fff",)),
    ("AVX registers described", ("qXfer:features:read:target.xml:0,fff",)),
    ("registers", ("g",)),
    ("a register that is not there", ("p999",)),
    ("… written", ("P999=00",)),
    ("too few registers", ("G00",)),
    ("memory", ("m7c00,4",)),
    ("memory, raw", ("x7c00,4",)),
    ("memory written raw", ("X600,1:a",)),
    ("search", ("qSearch:memory:7c00;100;\xeb\xf7",)),
    ("checksum", ("qCRC:7c00,200",)),
    ("no address", ("m,",)),
    ("data missing", ("M0,1",)),
    ("physical addresses", ("qqemu.PhyMemMode",)),
    ("what a step keeps away", ("qqemu.sstep",)),
    ("a step: what comes with the stop", ("vCont;s:p1.1",)),
    ("a breakpoint's stop", ("Z0,7c04,1", "vCont;c:p1.-1", "z0,7c04,1")[:2]),
    ("a condition for the stub: 0", ("z0,7c04,1", "Z0,7c04,1;X3,220027")),
    ("steps in a range, one packet", ("z0,7c04,1", "vCont;r7c00,7c07:p1.1")),
    ("non-stop mode", ("QNonStop:1",)),
    ("a step back", ("bs",)),
    ("alive behind that", ("qC",)),
)
_WAIT = 3
"""Seconds for an answer: what has not come then does not come."""
_BLINK = 0.1
"""Seconds between two looks whether a stub listens."""
_RUNS_ON = ("vCont;r",)


class Stub:
    """A stub under test, and the process it is in."""

    def __init__(self, command, path):
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.socket = socket.socket(socket.AF_UNIX)
        while not Path(path).exists():
            select.select([], [], [], _BLINK)
        self.socket.connect(str(path))
        self.socket.settimeout(_WAIT)
        self._decoder = Decoder()
        self._packets = []

    def ask(self, request):
        """Return the reply, or in words that there is none."""
        try:
            self.socket.sendall(frame(request.encode("latin-1")))
            if request.startswith(_RUNS_ON):
                self.socket.settimeout(0.5)
            return self._reply().decode("latin-1")
        except TimeoutError:
            return self._stopped(request)
        except ConnectionError:
            return "(connection lost)"
        finally:
            self.socket.settimeout(_WAIT)

    def _stopped(self, request):
        """Say that nothing has come; stop what runs for ever."""
        if not request.startswith(_RUNS_ON):
            return "(no reply)"
        self.socket.sendall(b"\x03")
        return f"(runs until Ctrl-C) {self._reply().decode('latin-1')}"

    def _reply(self):
        while not self._packets:
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError
            packets = [p for p in self._decoder.feed(data) if not isinstance(p, Mark)]
            # One more than there are packets would stop QEMU, as any character does while it runs.
            self.socket.sendall(b"+" * len(packets))
            self._packets += packets
        return self._packets.pop(0)

    def close(self):
        self.socket.close()
        self.process.kill()
        self.process.wait()


def qemu(folder):
    """Return QEMU's stub."""
    path = folder / "qemu"
    command = ["qemu-system-x86_64", "-display", "none", "-serial", "none", "-monitor", "none"]
    drive = f"file={folder / 'sector'},format=raw,if=ide"
    command += ["-drive", drive, "-S", "-gdb", f"unix:{path},server=on,wait=off"]
    return Stub(command, path)


def pykern(folder):
    """Return pykern's stub."""
    path = folder / "pykern"
    command = [sys.executable, "-m", "pykern", "boot", "--protocol", "bootsector", "-S"]
    return Stub([*command, "--serial", "null", "--gdb", f"unix:{path}", folder / "sector"], path)


def answers(stub, rows=ROWS):
    """Return the reply to each row's last packet."""
    return [[stub.ask(request) for request in requests][-1] for _, requests in rows]


def at_boot_sector(stub):
    """Run to 7C00h, which for QEMU is behind its firmware."""
    stub.ask("qSupported:multiprocess+;swbreak+;hwbreak+")
    stub.ask("Z1,7c00,1")
    stub.ask("m7c00,1")
    if "007c0000" not in stub.ask("g")[256:272]:
        stub.socket.settimeout(60)
        stub.socket.sendall(frame(b"vCont;c:p1.-1"))
        stub._reply()
    stub.ask("z1,7c00,1")


def short(text):
    """Return a reply as it fits into a table."""
    if text == "":
        return "*empty*"
    text = "".join(c if " " <= c <= "~" and c not in "|`" else "." for c in text)
    text = re.sub(r"PacketSize=\w+;", "", text)
    return text if text.startswith("(") else f"`{text[:100]}{'…' * (len(text) > 100)}`"


def table():
    """Return the table as Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sector").write_bytes(SECTOR)
        columns = []
        for start in (qemu, pykern):
            stub = start(folder)
            at_boot_sector(stub)
            columns.append(answers(stub))
            stub.close()
    lines = ["| | packet | QEMU | pykern |", "| --- | --- | --- | --- |"]
    for (what, requests), *replies in zip(ROWS, *columns, strict=True):
        packet = requests[-1] if len(requests[-1]) < 40 else requests[-1].split(":")[0]
        lines.append(f"| {what} | {short(packet)} | {' | '.join(map(short, replies))} |")
    return "\n".join(lines) + "\n"


def main():
    """Print the table."""
    if shutil.which("qemu-system-x86_64") is None:
        sys.exit("qemu-system-x86_64 is not installed")
    print(table(), end="")


if __name__ == "__main__":
    main()
