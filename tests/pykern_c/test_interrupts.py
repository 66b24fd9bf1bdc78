"""The interrupt controllers as a whole: against QEMU's, and against anything a guest can do.

**QEMU.** The same random script on QEMU's controllers and on ours must print the same. QEMU runs
tests/asm/apic_script.S from the reset vector, so nothing but the script touches the controllers.
COM1's transmitter-empty interrupt is the wire at pin 4: enabling it raises the line. Where QEMU
knowingly differs from the SDM the script does not go: it lets a software-disabled APIC accept
fixed interrupts, ignores polarity, keeps reserved bits, has other error rules, never shows "send
pending" but sets remote IRR though nobody accepted, and forgets the level of a pin when its entry
changes the trigger mode.

**Anything.** Two buses get the same random operations; one of them is saved and loaded into a
fresh bus now and then. They must stay equal, so everything that matters is in the saved state.
"""

import random
import shutil
import struct
import subprocess

import pytest

from pykern_c.events import Events
from pykern_c.interrupts import ApicBus, GeneralProtectionError, Pending

TOOLS = ("qemu-system-x86_64", "as", "ld")
needs_qemu = pytest.mark.skipif(
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


@needs_qemu
@pytest.mark.parametrize("seed", range(4))
def test_a_random_script_agrees_with_qemu(rom, tmp_path, seed):
    records = Script(seed).build(1500)
    theirs, ours = events(run_qemu(rom, records, tmp_path)), events(Ours().run(records))
    reads = sum(kind == READ for kind, _, _ in records)
    assert sum(event[:1] == b"R" for event in theirs) == reads
    for n, (their, our) in enumerate(zip(theirs, ours, strict=False)):
        assert our == their, f"event {n} of {len(theirs)}, after {record_of(records, n)}"
    assert len(ours) == len(theirs)


# ---- anything

CPUS = 5
ACTIONS = (
    "mmio", "mmio", "mmio", "msr", "msr", "ioapic", "ioapic", "pin", "pin", "lint", "acknowledge",
    "acknowledge", "eoi", "time", "time", "base", "msi", "take", "enable", "enable", "timer",
)  # fmt: skip


class Fuzzed:
    """A bus and its time, driven by recorded operations."""

    def __init__(self):
        self.events = Events()
        self.bus = ApicBus(CPUS, self.events)

    def reload(self):
        """Replace the bus by a fresh one with its saved state."""
        state = self.bus.save()
        self.bus = ApicBus(CPUS, self.events)
        self.bus.load(state)

    def apply(self, name, *operands):
        """Perform an operation of ACTIONS; return what a guest or a device would see."""
        return getattr(self, name)(*operands)

    def msr(self, cpu, offset, _size, value):
        return self.wrmsr(cpu, 0x800 + (offset & 0x3F), value)

    def base(self, cpu, _offset, _size, value):
        return self.wrmsr(cpu, 0x1B, 0xFEE00000 | (value & 0xC00))

    def wrmsr(self, cpu, msr, value):
        local = self.bus.local[cpu]
        try:
            local.write_msr(msr, value)
            return local.read_msr(msr)
        except GeneralProtectionError as fault:
            return str(fault)

    def mmio(self, cpu, offset, size, value):
        self.bus.local[cpu].write(offset & 0xFFF, size, value)
        return self.bus.local[cpu].read(offset & 0xFFF, size)

    def ioapic(self, _cpu, offset, size, value):
        self.bus.ioapic.write(0, 1, offset % 0x42)
        self.bus.ioapic.write(offset & 0x50, size, value)
        return self.bus.ioapic.read(offset & 0x50, size)

    def pin(self, _cpu, offset, _size, value):
        self.bus.ioapic.line(offset % 24).set(bool(value & 1))

    def lint(self, cpu, offset, _size, value):
        owner = self.bus if value & 2 else self.bus.local[cpu]
        owner.lint(offset & 1).set(bool(value & 1))

    def acknowledge(self, cpu, *_):
        local = self.bus.local[cpu]
        return local.acknowledge() if local.intr is not None else None

    def eoi(self, cpu, *_):
        self.bus.local[cpu].eoi()

    def msi(self, _cpu, offset, _size, value):
        return self.bus.msi(0xFEE00000 | (offset & 0xFFFFF), value & 0xFFFF)

    def time(self, _cpu, _offset, _size, value):
        self.events.advance(self.events.now + value % 3000)
        self.bus.fire_timers()

    def take(self, cpu, offset, *_):
        local = self.bus.local[cpu]
        taken = [local.take(which) for which in (Pending.NMI, Pending.SMI, Pending.INIT)]
        if taken[2]:
            local.init_reset()
        if offset & 1:
            local.extint_done()
        return taken, local.take_sipi()

    def enable(self, cpu, *_):
        """Back to a state in which something can happen."""
        local = self.bus.local[cpu]
        if not local.read_msr(0x1B) & 0x800:
            local.write_msr(0x1B, 0xFEE00800)
        if local.read_msr(0x1B) & 0x400:
            local.write_msr(0x80F, 0x1FF)
        else:
            local.write(0xF0, 4, 0x1FF)

    def timer(self, cpu, offset, _size, value):
        local = self.bus.local[cpu]
        count = value % 5000
        local.write(0x320, 4, (offset & 3) << 17 | 0x77)
        local.write(0x380, 4, count)
        local.write_msr(0x6E0, self.events.now + count)
        return local.timer_deadline


def draw(source):
    """Draw an operation: name, CPU, offset, size, value."""
    name, cpu = source.choice(ACTIONS), source.randrange(CPUS)
    offset = source.getrandbits(16) & ~source.choice([0, 15])
    size = source.choice([1, 2, 4, 4, 4, 8])
    # Two of three values look like a vector, an LVT entry or a command.
    value = source.getrandbits(source.choice([64, 8, 16]))
    return name, cpu, offset, size, value | source.choice([0, 0x4000])


def check(bus):
    for local in bus.local:
        assert not (local.irr | local.isr) & 0xFFFF, "a vector below 16 was accepted"
        assert (Pending.INTR in local.pending) == (local.intr is not None)


@pytest.mark.parametrize("seed", range(6))
def test_random_operations_keep_the_invariants_and_repeat(seed):
    source = random.Random(seed)
    straight, reloaded = Fuzzed(), Fuzzed()
    delivered = 0
    for step in range(4000):
        operation = draw(source)
        before = [local.pending for local in straight.bus.local]
        for local in straight.bus.local:
            local.attention = False
        result = straight.apply(*operation)
        assert reloaded.apply(*operation) == result, (step, operation)
        for was, local in zip(before, straight.bus.local, strict=True):
            assert local.attention or not local.pending & ~was, (step, operation)
        delivered += operation[0] == "acknowledge" and result is not None
        check(straight.bus)
        if step % 50 == 0:
            reloaded.reload()
            assert reloaded.bus.save() == straight.bus.save(), (step, operation)
    assert delivered > 20
