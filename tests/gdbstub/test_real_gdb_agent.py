"""gdb itself: conditions and prints evaluated in the machine, watchpoints, trace experiments."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.gdbstub.gdb import GDB
from tests.gdbstub.test_real_gdb import COUNTER, counter  # noqa: F401 - a fixture

# The guest of `counter` is: 7C00h incw 0x500; 7C04h mov 0x600, %ax; 7C07h jmp 7C00h
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GDB is None, reason="gdb is not installed"),
]


def test_conditions_are_evaluated_in_the_machine(counter):  # noqa: F811
    counter.type("break *0x7c04 if *(short*)0x500 == 30 || (*(char*)0x500 & 0x7f) == 100")
    counter.type("set debug remote 1")
    seen = [counter.go("continue")["reason"] for _ in range(2)]
    counter.type("set debug remote 0")
    assert seen == ["breakpoint-hit"] * 2
    assert counter.value("*(short*)0x500") == "100"
    assert "target evals" in counter.type("info breakpoints")
    assert int(counter.value("$bpnum")) == 1


def test_a_thousand_hits_are_one_stop(counter):  # noqa: F811
    counter.type("break *0x7c04 if *(unsigned short*)0x500 == 60000")
    before = len(counter.records)
    assert counter.go("continue")["reason"] == "breakpoint-hit"
    stops = [r for r in counter.records[before:] if r["message"] == "stopped"]
    assert len(stops) == 1
    assert counter.value("*(unsigned short*)0x500") == "60000"


def test_prints_of_the_agents_style(counter):  # noqa: F811
    counter.type("set dprintf-style agent")
    counter.type('dprintf *0x7c07,"count %d at %#lx\\n", *(short*)0x500, (long)$rip')
    counter.type("break *0x7c04 if *(short*)0x500 == 4")
    before = len(counter.records)
    assert counter.go("continue")["reason"] == "breakpoint-hit"
    said = [r["payload"] for r in counter.records[before:] if r["type"] == "target"]
    assert "".join(said) == "count 1 at 0x7c07\ncount 2 at 0x7c07\ncount 3 at 0x7c07\n"


def test_watchpoints_with_a_condition_and_side_by_side(counter):  # noqa: F811
    counter.type("watch *(short*)0x500 if *(short*)0x500 == 12")
    counter.type("watch *(char*)0x501")
    stop = counter.go("continue")
    assert stop["value"] == {"old": "11", "new": "12"}
    counter.type("awatch *(char*)0x600")
    assert counter.go("continue")["reason"] == "access-watchpoint-trigger"
    counter.type("delete 3")
    assert counter.go("continue")["value"] == {"old": "0 '\\000'", "new": "1 '\\001'"}
    assert counter.value("*(short*)0x500") == "256"


EXPERIMENT = """
set confirm off
set pagination off
target remote {address}
tvariable $seen = 5
trace *0x7c04
actions
collect $regs, *(short*)0x500, $seen
teval $seen = $seen + 1
end
condition 1 *(short*)0x500 >= 3
passcount 4 1
tstart
break *0x7c07 if *(short*)0x500 == 10
continue
tstatus
info tracepoints
tfind start
tdump
tfind
print *(short*)0x500
print *(short*)0x700
tfind none
print *(short*)0x500
info tvariables
tsave {file}
disconnect
target tfile {file}
tfind 2
print *(short*)0x500
"""


def test_a_trace_experiment(boot, tmp_path):
    """By gdb's command line: pygdbmi does not understand what its machine interface says of it."""
    (tmp_path / "sector").write_bytes(COUNTER)
    guest = boot("--protocol", "bootsector", str(tmp_path / "sector"))
    script = tmp_path / "script"
    script.write_text(EXPERIMENT.format(address=guest.address, file=tmp_path / "trace"))
    command = [GDB, "--nx", "--quiet", "--batch", "-iex", "set debuginfod enabled off"]
    done = subprocess.run(
        [*command, "-x", str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    said = iter(done.stdout.splitlines())
    for line in (
        "Trace stopped by tracepoint 1.", "Collected 4 trace frames.", r".*already hit 4 times",
        "Found trace frame 0, tracepoint 1", r"rip +0x7c04 .*", r"\*\(short\*\)0x500 = 3",
        r"\$seen = 5", "Found trace frame 1, tracepoint 1", r"\$1 = 4", r"\$2 = <unavailable>",
        r"\$3 = 10", r"\$seen +5 +9 *", "Found trace frame 2, tracepoint 1", r"\$4 = 5",
    ):  # fmt: skip
        assert any(re.fullmatch(line, one.strip()) for one in said), (line, done.stdout)


STEPS = """
set confirm off
target remote {address}
trace *0x7c04
actions
collect *(short*)0x500
while-stepping 2
collect $rip, $ax
end
end
condition 1 *(short*)0x500 == 3
passcount 1 1
tstart
break *0x7c07 if *(short*)0x500 == 10
continue
tstatus
tfind start
print *(short*)0x500
tfind
tdump
tfind
tdump
tfind
"""


def test_the_instructions_behind_a_tracepoint(boot, tmp_path):
    """What gdb calls `while-stepping`."""
    (tmp_path / "sector").write_bytes(COUNTER)
    guest = boot("--protocol", "bootsector", str(tmp_path / "sector"))
    script = tmp_path / "script"
    script.write_text(STEPS.format(address=guest.address))
    command = [GDB, "--nx", "--quiet", "--batch", "-iex", "set debuginfod enabled off"]
    done = subprocess.run(
        [*command, "-x", str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    said = iter(done.stdout.splitlines())
    for line in (
        "Collected 3 trace frames.", "Found trace frame 0, tracepoint 1", r"\$1 = 3",
        "Found trace frame 1, tracepoint 1", r"\$rip = .*0x7c07", r"\$ax = -?\d+",
        "Found trace frame 2, tracepoint 1", r"\$rip = .*0x7c00", r"\$ax = -?\d+",
    ):  # fmt: skip
        assert any(re.fullmatch(line, one.strip()) for one in said), (line, done.stdout)


def test_what_the_hosted_kernel_writes_is_seen(attached):
    attached.type("break sys_read")
    attached.go("continue")
    attached.type("delete")
    buffer = int(attached.value("(long)$rsi"))
    attached.type(f"watch *(char*){buffer}")
    stop = attached.go("continue")
    assert stop["reason"] == "watchpoint-trigger"
    assert stop["value"]["old"] != stop["value"]["new"]
    assert stop["frame"]["func"] == "sys_read"
