"""The same random script on QEMU's interrupt controllers and on ours must print the same.

QEMU runs tests/asm/apic_script.S from the reset vector, so nothing but the script touches the
controllers. COM1's transmitter-empty interrupt is the wire at pin 4: enabling it raises the line.

Where QEMU knowingly differs from the SDM the script does not go: it lets a software-disabled
APIC accept fixed interrupts, ignores polarity, keeps reserved bits, has other error rules, never
shows "send pending" but sets remote IRR though nobody accepted, and forgets the level of a pin
when its entry changes the trigger mode.
"""

import random
import shutil
import struct
import subprocess

import pytest

from pykern_c.interrupts import ApicBus

TOOLS = ("qemu-system-x86_64", "as", "ld")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}"
)

LAPIC, IOAPIC = 0xFEE00000, 0xFEC00000
END, READ, WRITE, ENABLE, PORT = range(5)
COM1_IER, COM1_MCR = 0x3F9, 0x3FC
PIN = 4
VECTORS = (0x31, 0x42, 0x43, 0x58, 0x9F, 0xA0, 0xFE)
LEVEL, MASKED = 1 << 15, 1 << 16

SETUP = [
    (WRITE, LAPIC + 0x350, MASKED),  # QEMU resets LINT0 of the BSP to ExtINT
    (WRITE, LAPIC + 0xF0, 0x1FF),
    (PORT, COM1_MCR, 8),  # OUT2: the interrupt pin of the UART is connected
]


class Script:
    """Random operations on the controllers, as the records that the ROM reads."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.records = list(SETUP)
        self.trigger = 0

    def write(self, address, value):
        self.records.append((WRITE, address, value))

    def task_priority(self):
        self.write(LAPIC + 0x80, self.random.randrange(256))

    def no_task_priority(self):
        self.write(LAPIC + 0x80, 0)

    def logical_id(self):
        self.write(LAPIC + 0xD0, self.random.choice([0x11, 0x12, 0x81, 0x24]) << 24)
        self.write(LAPIC + 0xE0, self.random.choice([0xFFFFFFFF, 0x0FFFFFFF]))

    def ipi(self):
        """Send to a physical or logical destination or a shorthand; one CPU is there."""
        logical = self.random.getrandbits(1)
        physical = self.random.choice([0, 0, 1, 0xFF])
        destination = self.random.randrange(1, 255) if logical else physical
        mode = self.random.choice([0, 0, 0x100])
        shorthand = self.random.choice([0, 0, 0, 1, 2, 3]) if mode == 0 else 0
        vector = self.random.choice(VECTORS)
        self.write(LAPIC + 0x310, destination << 24)
        self.write(LAPIC + 0x300, vector | mode | logical << 11 | 1 << 14 | shorthand << 18)

    def eoi(self):
        self.write(LAPIC + 0xB0, 0)

    def enable(self):
        self.records.append((ENABLE, 0, 0))

    def line(self):
        self.records.append((PORT, COM1_IER, self.random.choice([0, 2])))

    def redirect(self):
        """Program pin 4: fixed or lowest priority, edge or level, masked or not."""
        low = self.random.choice(VECTORS) | self.random.choice([0, 0x100])
        low |= self.random.choice([0, LEVEL, LEVEL]) | self.random.choice([0, 0, MASKED])
        logical = self.random.getrandbits(1) and not low & LEVEL
        destination = self.random.choice([0x11, 0x03, 0x24]) if logical else 0
        if low & LEVEL != self.trigger:
            self.records.append((PORT, COM1_IER, 0))
        self.trigger = low & LEVEL
        self.write(IOAPIC, 0x11 + 2 * PIN)
        self.write(IOAPIC + 0x10, destination << 24)
        self.write(IOAPIC, 0x10 + 2 * PIN)
        self.write(IOAPIC + 0x10, low | logical << 11)

    def directed_eoi(self):
        self.write(IOAPIC + 0x40, self.random.choice(VECTORS))

    def look(self):
        """Read everything that changed."""
        offsets = [0x80, 0xA0, *range(0x100, 0x280, 0x10)]
        self.records += [(READ, LAPIC + offset, 0) for offset in offsets]
        self.write(IOAPIC, 0x10 + 2 * PIN)
        self.records.append((READ, IOAPIC + 0x10, 0))

    def build(self, steps):
        actions = [
            self.task_priority,
            self.no_task_priority,
            self.logical_id,
            self.directed_eoi,
            *[self.ipi, self.eoi, self.enable, self.line, self.redirect] * 3,
        ]
        for _ in range(steps):
            self.random.choice(actions)()
            self.look()
        return self.records


class Ours:
    """The script on pykern's controllers."""

    def __init__(self):
        self.bus = ApicBus(1)
        self.output = bytearray()

    def device(self, address):
        if address >= LAPIC:
            return self.bus.local[0], address - LAPIC
        return self.bus.ioapic, address - IOAPIC

    def enable(self):
        apic = self.bus.local[0]
        while apic.intr is not None:
            self.output += b"A" + bytes([apic.acknowledge()])
        self.output += b"E"

    def run(self, records):
        for kind, address, value in records:
            if kind == READ:
                device, offset = self.device(address)
                self.output += b"R" + struct.pack("<I", device.read(offset, 4))
            elif kind == WRITE:
                device, offset = self.device(address)
                device.write(offset, 4, value)
            elif kind == ENABLE:
                self.enable()
            elif address == COM1_IER:
                self.bus.ioapic.line(PIN).set(value == 2)
        return bytes(self.output)


@pytest.fixture(scope="module")
def rom(tmp_path_factory, request):
    source = request.path.parent.parent / "asm" / "apic_script.S"
    folder = tmp_path_factory.mktemp("rom")
    subprocess.run(["as", "--32", "-o", folder / "rom.o", source], check=True)
    subprocess.run(
        [
            "ld",
            "-m",
            "elf_i386",
            "-Ttext=0xFFFF0000",
            "--oformat",
            "binary",
            "-e",
            "0xFFFF0000",
            "-o",
            folder / "rom.bin",
            folder / "rom.o",
        ],
        check=True,
    )
    return folder / "rom.bin"


def run_qemu(rom, records, folder):
    """Run the script under QEMU's TCG and return what it printed."""
    script = folder / "script.bin"
    script.write_bytes(b"".join(struct.pack("<3I", *r) for r in [*records, (END, 0, 0)]))
    output = folder / "output.bin"
    done = subprocess.run(
        [
            "qemu-system-x86_64",
            "-machine",
            "q35",
            "-accel",
            "tcg",
            "-m",
            "64",
            "-display",
            "none",
            "-nodefaults",
            "-serial",
            "null",
            "-monitor",
            "none",
            "-no-reboot",
            "-bios",
            rom,
            "-device",
            f"loader,file={script},addr=0x100000,force-raw=on",
            "-device",
            "isa-debug-exit,iobase=0xf4,iosize=4",
            "-debugcon",
            f"file:{output}",
        ],
        check=False,
        timeout=120,
        capture_output=True,
    )
    assert done.returncode == 1, done.stderr.decode()
    return output.read_bytes()


def events(output):
    """Split what was printed into reads, acknowledged vectors and ends of windows."""
    length = {ord("R"): 5, ord("A"): 2, ord("E"): 1}
    found, at = [], 0
    while at < len(output):
        found.append(output[at : at + length[output[at]]])
        at += length[output[at]]
    return found


def record_of(records, event):
    """Return the writes before a read, given its number among all reads (for messages)."""
    reads = -1
    writes = []
    for record in records:
        if record[0] == READ:
            reads += 1
        elif record[0] != READ:
            writes.append(tuple(map(hex, record)))
        if reads == event:
            break
    return writes[-14:]


@pytest.mark.parametrize("seed", range(4))
def test_a_random_script_agrees_with_qemu(rom, tmp_path, seed):
    records = Script(seed).build(1500)
    theirs, ours = events(run_qemu(rom, records, tmp_path)), events(Ours().run(records))
    reads = sum(kind == READ for kind, _, _ in records)
    assert sum(event[:1] == b"R" for event in theirs) == reads
    for n, (their, our) in enumerate(zip(theirs, ours, strict=False)):
        assert our == their, f"event {n} of {len(theirs)}, after {record_of(records, n)}"
    assert len(ours) == len(theirs)
