"""The microkernel's feature list on its profile: log, turns, messages, isolation, paging."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pykern.cli import main
from pykern.debug import interrupt_state, tables
from pykern.exit_status import ExitStatus
from pykern.kernel.core.units import MIB, PAGE_SIZE
from pykern.kernel.fs import cpio
from pykern.kernel.x86 import layout, vectors
from tests import booting, golden_log

GOLDEN = Path(__file__).parents[3] / "golden" / "microkernel" / "smp1.txt"
TESTS = (
    "Round robin",
    "Switch overhead",
    "Messages",
    "Isolation",
    "Page faults",
    "Page replacement",
)


@pytest.fixture(scope="module")
def iso():
    return booting.image("microkernel")


@pytest.fixture(scope="module")
def booted(iso):
    return functools.cache(lambda cpus: booting.boot(iso, cpus=cpus))


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Return the folder with kernel.bin, initrd.img and kernel.elf."""
    booting.packaged()
    folder = tmp_path_factory.mktemp("parts")
    assert (
        main(["image", "build", "microkernel", "-o", f"{folder}/x.iso", "--parts", f"{folder}"])
        == 0
    )
    return folder


def test_the_log_is_golden(booted):
    """MIC-01, MIC-02, MIC-08, MIC-15: and the machine is turned off."""
    assert golden_log.difference(GOLDEN.read_text(encoding="utf-8"), booted(1).log) is None
    assert booted(1).outcome.status == ExitStatus.POWER_OFF


@pytest.mark.parametrize("cpus", [1, 8])
@pytest.mark.parametrize("name", TESTS)
def test_the_kernel_tests_itself(booted, name, cpus):
    """MIC-01 to MIC-06, MIC-09, MIC-10, MIC-15, MIC-17: on several processors, too."""
    assert f"[TEST] ✓ {name}\n" in booted(cpus).log


def test_what_is_initialised(booted):
    """MIC-08: GDT, IDT, PICs, local APIC, timer and page tables, as `monitor` shows them."""
    kernel, board = booted(1).kernel, booted(1).computer.board
    vcpu, now = kernel.cpus[0].vcpu, booted(1).computer.machine.now
    descriptors = tables.gdt(vcpu, [])
    for kind in ("DPL 0 code 64-bit", "DPL 3 code 64-bit", "DPL 0 TSS busy"):
        assert kind in descriptors
    gates = tables.idt(vcpu, []).splitlines()
    assert [int(gate[:2], 16) for gate in gates] == list(range(256))
    stubs = kernel.symbols["vector_stubs"]
    assert f"20  0008:{stubs + 0x20 * layout.VECTOR_STUB_SIZE:016x} DPL 0 interrupt gate" in gates
    chips = [(chip.vector_base, chip.imr) for chip in (board.pic._master, board.pic._slave)]
    assert chips == [(0x20, 0xFF), (0x28, 0xFF)]
    assert "SVR 0x1ff" in interrupt_state.apic(booted(1).computer.machine, vcpu)
    assert kernel.traps.counts[vectors.FIRST_ISA, 0] == pytest.approx(now / 1e7, abs=3)
    assert vcpu.read_register("cr3") & -PAGE_SIZE == kernel.table.root
    assert vcpu.read_register("cr0") >> 31 & vcpu.read_register("efer") >> 10 & 1


def test_eight_tasks_take_turns(booted):
    """MIC-01, MIC-02: none gives the processor away or waits; MIC-11: each has its arguments."""
    said = re.findall(r"^hello_world (\d): (\w+)$", booted(1).log, re.MULTILINE)
    assert [int(task) for task, _ in said] == [*range(1, 9)] * 3
    assert {word for _, word in said[:8]} == {"first"}


def test_a_switch_takes_no_ten_microseconds(booted):
    """MIC-03: in virtual time, system call and all."""
    count, each = re.search(r"(\d+) switches, (\d+) ns each", booted(1).log).groups()
    assert int(count) >= 400
    assert int(each) <= 10_000


def test_ten_thousand_messages_a_second(booted):
    """MIC-04: of 256 bytes, there and back."""
    count, rate = re.search(r"(\d+) messages in \d+ us, (\d+) in a second", booted(1).log).groups()
    assert int(count) == 2000
    assert int(rate) >= 10_000


def test_least_recently_used_needs_fewer_faults(booted):
    """MIC-05: at least 37 % fewer than without replacement, on the same references."""
    found = dict(re.findall(r"\[MM\] (\w+): (\d+) faults, \d+ % fewer", booted(1).log))
    faults = {name: int(count) for name, count in found.items()}
    assert set(faults) == {"lru", "fifo", "clock", "lifo", "random"}
    assert faults["lru"] <= 0.63 * faults["lifo"]
    assert faults["lru"] < faults["fifo"]


def test_a_failing_test_stops_the_kernel(iso, monkeypatch):
    """What the tests above rely on: the mark is not printed for nothing."""
    module = "pykern.kernel.integration.microkernel"
    monkeypatch.setattr(f"{module}._LEAST_MESSAGES_PER_S", 1 << 40)
    failed = booting.boot(iso)
    assert failed.outcome.status == ExitStatus.PANIC
    assert "✓ Switch overhead" in failed.log
    assert "✓ Messages" not in failed.log
    assert "messages/s, at least" in failed.log


def test_the_parts_boot_as_qemu_would(parts, capfdbinary):
    """MIC-12, MIC-13: -kernel kernel.bin -initrd initrd.img -nographic -m 512M."""
    command = ["boot", "--kernel", f"{parts}/kernel.bin", "-initrd", f"{parts}/initrd.img"]
    assert main([*command, "-nographic", "-m", "512M"]) == 0
    shown = capfdbinary.readouterr().out.decode().replace("\r\n", "\n")
    assert golden_log.difference(GOLDEN.read_text(encoding="utf-8"), shown) is None


def test_the_parts_are_what_they_are_called(parts):
    """MIC-12: an archive of programs, a kernel to load, the same with symbols for gdb."""
    archive = (parts / "initrd.img").read_bytes()
    names = [entry.name for entry in cpio.CpioReader(archive).members()]
    assert b"bin/microkernel/hello_world" in names
    if shutil.which("nm") is None:
        pytest.skip("no nm")
    symbols = subprocess.run(
        ["nm", parts / "kernel.elf"], capture_output=True, text=True, check=True
    )
    assert " T sys_task_send\n" in symbols.stdout
    assert (parts / "kernel.bin").stat().st_size < (parts / "kernel.elf").stat().st_size


def test_from_real_mode_to_one_mebibyte(iso, tmp_path):
    """MIC-07: our own loader takes the machine from its boot sector to long mode."""
    (tmp_path / "m.iso").write_bytes(iso)
    command = [
        sys.executable,
        "-m",
        "pykern",
        "boot",
        str(tmp_path / "m.iso"),
        "--firmware",
        "bios",
    ]
    done = subprocess.run([*command, "-m", "64M"], capture_output=True, check=False)
    assert done.returncode == 0
    assert b"[BOOT] kernel at 0x100000\r\n" in done.stdout


@pytest.mark.parametrize("policy", ["fifo", "clock"])
def test_the_command_line_chooses(iso, policy, tmp_path, capfdbinary):
    """MEL-55: size of swap space and policy; --metrics tells what was done."""
    (tmp_path / "m.iso").write_bytes(iso)
    command = ["boot", str(tmp_path / "m.iso"), "-m", "64M", "--metrics", str(tmp_path / "m.json")]
    assert main([*command, "--append", f"swap=40M replacement={policy}"]) == 0
    assert f"swap of 40960 kB, replacement {policy}".encode() in capfdbinary.readouterr().out
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert metrics["page_faults"] > metrics["swap_ins"] > 4000
    assert metrics["swap_outs"] > 4000


def test_more_than_all_memory(iso):
    """MIC-10, MIC-15: 80 MB on a machine with 64."""
    booted = booting.boot(iso, append="init=/bin/microkernel/page_fault -- 80")
    assert "page_fault: 20480 pages written and found again\n" in booted.log
    assert "the first process, page_fault, ended: status 0" in booted.log
    assert booted.kernel.metrics.swap_outs > 10_000


def test_an_unknown_policy_is_named(iso):
    booted = booting.boot(iso, append="replacement=best")
    assert booted.outcome.status == ExitStatus.PANIC
    assert "no page replacement 'best'; registered: lru, fifo, clock, lifo, random" in booted.log


def test_without_swap_space_memory_has_an_end(iso):
    """MIC-10: then there is nothing to show, and nothing is shown."""
    booted = booting.boot(iso, append="swap=0")
    assert "✓ Isolation" in booted.log
    assert "✓ Page faults" not in booted.log
    assert "pages out" not in booted.log
    assert booted.outcome.status == ExitStatus.POWER_OFF


def test_tasks_leave_nothing_behind(booted):
    """MIC-10, MIC-15: task 1 is left; slots, mailboxes and frames of the others are free."""
    kernel = booted(1).kernel
    assert list(kernel.processes.by_pid) == [1]
    assert len(kernel.mailboxes) == 1
    space = kernel.processes.first.space.statistics()
    assert kernel.reclaimer.swap.used_bytes <= space.vsz - space.rss
    held = kernel.frames.statistics()
    assert held.free > held.total - 24 * MIB
    assert kernel.reclaimer._attached.keys() == {kernel.processes.first.space.pages}


@pytest.mark.parametrize("folder", ["sched", "ipc", "mm", "binfmt", "x86"])
def test_parts_are_packages(folder):
    """MIC-16: scheduler, messages, memory, loader and processor know nothing of each other's users.

    tests/test_architecture.py looks at the imports.
    """
    root = Path(__file__).parents[4] / "pykern" / "kernel"
    sources = list((root / folder).rglob("*.py"))
    assert sources
    for source in sources:
        text = source.read_text(encoding="utf-8")
        assert "pykern.kernel.bringup" not in text
        assert "import pykern.kernel.kernel" not in text
