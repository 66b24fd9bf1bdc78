"""A program that uses files in every way: the same output on host Linux and in pykern."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("cpus", [1, 2])
def test_files_locks_events_and_terminals_are_those_of_linux(on_both, cpus):
    """MEL-51: content, names, locks, epoll, eventfd, timerfd, pseudo-terminals."""
    expected, found = on_both("files.c", cpus=cpus)
    assert found.stdout.decode().splitlines() == expected.stdout.decode().splitlines()
    assert found.status == expected.status == 0
