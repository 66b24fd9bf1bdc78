"""Anything a guest or a device can do to the interrupt controllers: invariants and determinism.

Two buses get the same random operations; one of them is saved and loaded into a fresh bus now and
then. They must stay equal, so everything that matters is in the saved state.
"""

import random

import pytest

from pykern_c.events import Events
from pykern_c.interrupts import ApicBus, GeneralProtectionError, Pending

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

    def msr(self, cpu, msr, value):
        local = self.bus.local[cpu]
        try:
            local.write_msr(msr, value)
            return local.read_msr(msr)
        except GeneralProtectionError as fault:
            return str(fault)

    def mmio(self, device, offset, size, value):
        device.write(offset, size, value)
        return device.read(offset, size)

    def time(self, step):
        self.events.advance(self.events.now + step)
        self.bus.fire_timers()

    def take(self, cpu, vector):
        local = self.bus.local[cpu]
        taken = [local.take(which) for which in (Pending.NMI, Pending.SMI, Pending.INIT)]
        if taken[2]:
            local.init_reset()
        if vector & 1:
            local.extint_done()
        return taken, local.take_sipi()

    def enable(self, cpu):
        """Back to a state in which something can happen."""
        local = self.bus.local[cpu]
        if not local.read_msr(0x1B) & 0x800:
            local.write_msr(0x1B, 0xFEE00800)
        if local.read_msr(0x1B) & 0x400:
            local.write_msr(0x80F, 0x1FF)
        else:
            local.write(0xF0, 4, 0x1FF)

    def timer(self, cpu, count, mode):
        local = self.bus.local[cpu]
        local.write(0x320, 4, (mode & 3) << 17 | 0x77)
        local.write(0x380, 4, count)
        local.write_msr(0x6E0, self.events.now + count)
        return local.timer_deadline

    def apply(self, name, cpu, offset, size, value):
        bus, local = self.bus, self.bus.local[cpu]
        if name == "mmio":
            return self.mmio(local, offset & 0xFFF, size, value)
        if name == "msr":
            return self.msr(cpu, 0x800 + (offset & 0x3F), value)
        if name == "ioapic":
            bus.ioapic.write(0, 1, offset % 0x42)
            return self.mmio(bus.ioapic, offset & 0x50, size, value)
        if name == "pin":
            return bus.ioapic.line(offset % 24).set(bool(value & 1))
        if name == "lint":
            return (bus if value & 2 else local).lint(offset & 1).set(bool(value & 1))
        if name == "acknowledge":
            return local.acknowledge() if local.intr is not None else None
        if name == "eoi":
            return local.eoi()
        if name == "time":
            return self.time(value % 3000)
        if name == "base":
            return self.msr(cpu, 0x1B, 0xFEE00000 | (value & 0xC00))
        if name == "msi":
            return bus.msi(0xFEE00000 | (offset & 0xFFFFF), value & 0xFFFF)
        if name == "take":
            return self.take(cpu, offset)
        if name == "enable":
            return self.enable(cpu)
        return self.timer(cpu, value % 5000, offset)


def draw(source):
    """Draw an operation; half of the values look like LVT entries and commands."""
    value = source.choice([
        source.getrandbits(64),
        source.getrandbits(8),
        source.getrandbits(16) | 0x4000,
    ])
    return (
        source.choice(ACTIONS), source.randrange(CPUS), source.getrandbits(16) & ~source.choice([0, 15]),
        source.choice([1, 2, 4, 4, 4, 8]), value,
    )  # fmt: skip


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
