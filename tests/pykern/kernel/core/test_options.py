"""Mistakes on the kernel's command line."""

from __future__ import annotations

import pytest

from pykern.kernel.core.options import OptionError, parsed


def test_what_is_given_goes_before_what_stands_for_it():
    assert parsed({"swap": "3"}, "swap", int, "0") == 3
    assert parsed({}, "swap", int, "0") == 0


def test_what_cannot_be_is_told_with_its_name():
    with pytest.raises(OptionError, match=r"^swap=many: invalid literal"):
        parsed({"swap": "many"}, "swap", int, "0")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("swap=many", "swap=many: memory size 'many', expected a number and K, M or G"),
        ("trust=zz", "trust=zz: trusted key 'zz', expected 64 hexadecimal digits"),
        ("profile=none", "no profile 'none'; registered: pykern, mellos"),
        ("sched=none", "profile 'pykern': no scheduler policy 'none', expected one of rr"),
        ("swap=1M replacement=none", "no page replacement 'none'; registered: lru"),
        ("init=/none", "cannot run /none: ENOENT"),
    ],
)
def test_the_panic_is_in_words(system, words, told):
    """It names what was wrong, and no class of the kernel's."""
    log = system(command_line=words).run().log
    assert f"[PANIC] ERROR: {told}" in log
    assert "hosted code" not in log
