"""What gdb sees of a machine: registers, memory, `monitor`."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gdbstub import Session, TargetError, ThreadId
from gdbstub.packet import Decoder, frame
from gdbstub.x86 import I386, X86_64
from pykern.debug.machine_target import MachineTarget
from tests.guest import ENTRY, PML4, long_mode_machine

ONE = ThreadId(1, 1)


@pytest.fixture
def target():
    return MachineTarget(
        long_mode_machine("hlt", cpus=2), ["init", ""].__getitem__, b"\x7fELF", "/boot/kernel"
    )


def test_the_general_packet_has_the_size_that_every_gdb_expects():
    assert sum(register.size for register in X86_64.general) == 536
    assert sum(register.size for register in I386.general) == 308


def test_threads_are_processors_named_by_what_they_run(target):
    assert [t.name for t in target.threads()] == ["cpu0:init", "cpu1"]
    assert [t.core for t in target.threads()] == [0, 1]


@pytest.mark.parametrize("architecture", [X86_64, I386])
def test_every_register_is_read_and_written_back(target, architecture):
    names = [register.name for register in architecture.registers]
    before = target.read_registers(ONE, names)
    state = target.machine.state_hash()
    for register, value in zip(architecture.registers, before, strict=True):
        target.write_registers(ONE, {register.name: value & ((1 << register.bits) - 1)})
    assert target.read_registers(ONE, names) == before
    assert target.machine.state_hash() == state


@pytest.mark.parametrize("name", ["rax", "rip", "r15", "xmm3", "ymm3h", "st2", "gs_base", "cr2"])
def test_writing_a_register_changes_it_alone(target, name):
    names = [r.name for r in X86_64.registers if r.name != name]
    others = target.read_registers(ONE, names)
    target.write_registers(ONE, {name: 0x3FFF})
    assert target.read_registers(ONE, [name]) == [0x3FFF]
    assert target.read_registers(ONE, names) == others


def test_tags_of_the_x87_stack(target):
    cpu = target.machine.vcpus[0]
    cpu.write_register("ftw", 0b111)
    for i, value in enumerate((0x3FFF << 64 | 1 << 63, 0, 0x7FFF << 64 | 1 << 63)):
        cpu.write_register(f"r{i}_x87", value)
    assert target.read_registers(ONE, ["ftag"]) == [0b11_11_11_11_11_10_01_00]


def test_memory_is_read_as_far_as_it_is_mapped(target):
    end = 8 << 20
    assert len(target.read_memory(ONE, end - 0x1800, 0x4000)) == 0x1800
    with pytest.raises(TargetError, match="0x800000 is not mapped: PDE at 0x12020 is 0x0"):
        target.read_memory(ONE, end, 1)


def test_memory_is_written_whole_or_not_at_all(target):
    last = (8 << 20) - 2
    with pytest.raises(TargetError, match="0x800000 is not mapped"):
        target.write_memory(ONE, last, b"abcd")
    assert target.read_memory(ONE, last, 2) == b"\0\0"
    target.write_memory(ONE, last, b"ab")
    assert target.read_memory(ONE, last, 2) == b"ab"


def test_physical_memory(target):
    target.physical_memory = True
    target.write_memory(ONE, 0x7F0000, b"xyz")
    assert target.read_memory(ONE, 0x7F0000, 3) == target.machine.read(0x7F0000, 3) == b"xyz"
    with pytest.raises(TargetError, match="0xfee00000 is not memory"):
        target.read_memory(ONE, 0xFEE00000, 4)


def test_the_kernels_file(target):
    assert target.open_file(target.exec_file(1)) == b"\x7fELF"
    with pytest.raises(FileNotFoundError):
        target.open_file("/etc/passwd")
    with pytest.raises(TargetError, match="not known"):
        MachineTarget(target.machine).exec_file(1)


def test_monitor_walks_page_tables(target):
    text = target.monitor(ONE, f"walk {ENTRY:#x}")
    assert f"PML4E at {PML4:#012x}" in text
    assert f"physical {ENTRY:#x}" in text
    assert target.monitor(ONE, "translate 0x800000") == "0x800000 is not mapped\n"


def test_monitor_shows_tables(target):
    cpu, machine = target.machine.vcpus[0], target.machine
    for name, value in (("gdtr.base", 0x5000), ("gdtr.limit", 39), ("idtr.base", 0x6000),
                        ("idtr.limit", 31)):  # fmt: skip
        cpu.write_register(name, value)
    machine.write(0x5008, bytes.fromhex("ffff0000009baf00 ffff00000093cf00"))
    # A 64-bit TSS at FFFF8000_12345678h, with limit 67h.
    machine.write(0x5018, bytes.fromhex("6700785634890012 0080ffff00000000"))
    machine.write(0x6010, bytes.fromhex("4433080002ee2211 8877665500000000"))
    assert target.monitor(ONE, "gdt").splitlines() == [
        "0008  base 0000000000000000 limit ffffffff DPL 0 code 64-bit",
        "0010  base 0000000000000000 limit ffffffff DPL 0 data writable",
        "0018  base ffff800012345678 limit 00000067 DPL 0 TSS available",
    ]
    assert target.monitor(ONE, "idt") == "01  0008:5566778811223344 DPL 3 interrupt gate IST 2\n"


@pytest.mark.parametrize("command", ["help", "regs", "apic", "time", ""])
def test_monitor_prints(target, command):
    assert target.monitor(ONE, command).endswith("\n")


@pytest.mark.parametrize(
    ("command", "text"),
    [("cease", "no command"), ("walk", "usage: monitor walk ADDR"), ("walk x", "not an address"),
     ("walk 80000a", "not an address"),
     ("arch z80", "expected one of i386:x86-64, x86-64")],
)  # fmt: skip
def test_monitor_says_what_is_wrong(target, command, text):
    with pytest.raises(TargetError, match=text):
        target.monitor(ONE, command)


# -- hostile clients

MACHINE = long_mode_machine("hlt", megabytes=2)
ADDRESSES = st.sampled_from(
    [0, ENTRY, (2 << 20) - 8, 2 << 20, 1 << 40, 1 << 47, 1 << 63, (1 << 64) - 9, (1 << 64) - 1]
).map(lambda n: b"%x" % n)
SIZES = st.sampled_from([b"0", b"1", b"8", b"1000", b"ffffffff", b"ffffffffffffffff"])
PLACES = st.builds(lambda a, s: a + b"," + s, ADDRESSES, SIZES)
# Not the control registers: page tables in the place of devices would be read from devices.
PLAIN = st.integers(0, X86_64.numbers["k_gs_base"])
REQUESTS = st.one_of(
    st.builds(lambda verb, place: verb + place, st.sampled_from([b"m", b"x", b"qCRC:"]), PLACES),
    st.builds(lambda a, d: b"X%b,%x:%b" % (a, len(d), d), ADDRESSES, st.binary(max_size=20)),
    st.builds(
        lambda k, place: b"%b,%b" % (k, place), st.sampled_from([b"Z0", b"Z2", b"z4"]), PLACES
    ),
    st.builds(lambda n, d: b"P%x=%b" % (n, d.hex().encode()), PLAIN, st.binary(max_size=16)),
    st.builds(lambda n: b"p%x" % n, st.integers(0, 300)),
    st.builds(
        lambda c: b"qRcmd," + c.hex().encode(), st.sampled_from([b"walk", b"gdt", b"idt", b"regs"])
    ),
    st.builds(lambda a: b"qRcmd," + (b"walk 0x" + a).hex().encode(), ADDRESSES),
    st.sampled_from(
        [b"g", b"?", b"Hg2", b"T1", b"Qqemu.PhyMemMode:1", b"Qqemu.PhyMemMode:0", b"qfThreadInfo"]
    ),
)


@settings(max_examples=300)
@given(st.lists(REQUESTS, max_size=10))
@example([b"X%x,2:ab" % ((2 << 20) - 1)])
def test_each_request_has_one_reply_and_a_refused_one_changes_nothing(requests):
    target = MachineTarget(MACHINE)
    session, decoder = Session(target), Decoder()
    session.feed(frame(b"QStartNoAckMode"))
    for request in requests:
        before = MACHINE.state_hash()
        *_, reply = [
            r for r in decoder.feed(session.feed(frame(request))) if r[:1] != b"O" or r == b"OK"
        ]
        if re.match(rb"E..\Z", reply):
            assert MACHINE.state_hash() == before
    target.detach()
