"""The log: levels, the ring, and the lines as the five kernels print them (MEL-35, SCA-18)."""

from __future__ import annotations

import pytest

from pykern.kernel.core.log import STYLES, Level, Log, LogStyle
from tests.virtual_time import VirtualClock


@pytest.fixture
def lines() -> list[str]:
    return []


def make(lines: list[str], style: str = "pykern", **options) -> Log:
    return Log(lines.append, style=STYLES.get(style), **options)


def test_mello_style_names_the_level_where_the_macro_does(lines):
    """MEL-33, MEL-35: mm_log! prints no level, sched_info! does."""
    log = make(lines, "mello")
    log.subsystem("MM").log("✓ PMM tests passed")
    log.subsystem("SCHED").info("Initializing scheduler...")
    log.subsystem("SCHED", "core0").log("run A")
    assert lines == [
        "[MM] ✓ PMM tests passed\n",
        "[SCHED] INFO: Initializing scheduler...\n",
        "[SCHED][core0] run A\n",
    ]


def test_scarlett_style_names_the_level_and_no_subsystem(lines):
    """SCA-18."""
    log = make(lines, "scarlett")
    log.subsystem("HEAP").info("Allocated 1KB at: 0xFFFFFFFFC0000040")
    log.subsystem("").log("")
    assert lines == ["[INFO] Allocated 1KB at: 0xFFFFFFFFC0000040\n", "\n"]


def test_the_default_style_names_the_level_where_something_is_wrong(lines):
    part = make(lines).subsystem("MM")
    part.info("ready")
    part.warn("low on frames")
    part.error("none left")
    assert lines == ["[MM] ready\n", "[MM] WARN: low on frames\n", "[MM] ERROR: none left\n"]


def test_the_console_shows_its_level_and_above_and_the_ring_keeps_all(lines):
    log = make(lines, level=Level.WARN)
    part = log.subsystem("MM")
    part.debug("a")
    part.info("b")
    part.warn("c")
    assert lines == ["[MM] WARN: c\n"]
    assert [record.text for record in log.records()] == ["a", "b", "c"]


def test_a_subsystem_may_show_more_or_less_than_the_log(lines):
    log = make(lines)
    log.subsystem("SYSCALL").level = Level.DEBUG
    log.subsystem("MM").level = Level.ERROR
    log.subsystem("SYSCALL").log("Task 1 invoked SYS_WRITE (id=0)", Level.DEBUG)
    log.subsystem("MM").warn("hidden")
    assert lines == ["[SYSCALL] Task 1 invoked SYS_WRITE (id=0)\n"]


def test_the_ring_forgets_the_oldest(lines):
    log = make(lines, capacity=3)
    for number in range(5):
        log.subsystem("A").info(str(number))
    assert [record.text for record in log.records()] == ["2", "3", "4"]


def test_dmesg_has_virtual_time_stamps(lines):
    clock = VirtualClock()
    log = make(lines, now_ns=lambda: clock.now_ns)
    clock.advance(1_500_000)
    log.subsystem("MM").info("one")
    clock.advance(12_000_000_000)
    log.subsystem("MM").warn("two")
    assert log.dmesg() == "[    0.001500] MM: one\n[   12.001500] MM: WARN: two\n"


def test_each_line_of_a_text_is_a_record(lines):
    make(lines).subsystem("PANIC").error("one\ntwo")
    assert lines == ["[PANIC] ERROR: one\n", "[PANIC] ERROR: two\n"]


def test_a_subsystem_is_one_object():
    log = make([])
    assert log.subsystem("MM") is log.subsystem("MM")


@pytest.mark.parametrize("template", ["{nothing}", "{", "{0}"])
def test_a_bad_template_is_refused(template):
    with pytest.raises(ValueError, match="log style"):
        LogStyle(plain=template)
