"""High, Normal and Low, and the numbers that MelloOS logs."""

from __future__ import annotations

from pykern.kernel.sched.policies.priority3 import Priority3, TaskPriority
from tests.pykern.kernel.sched.policies.test_levels import filled, order


def test_the_tasks_of_the_log_fall_into_three_levels():
    """MEL-11, MEL-33: A (10), B (5), C (8), D (3) run as A, C, B, D."""
    policy = Priority3()
    threads = filled(policy, 10, 5, 8, 3)
    assert [thread.level for thread in threads] == [2, 1, 2, 0]
    assert order(policy) == [0, 2, 1, 3]


def test_names():
    """MEL-36."""
    policy = Priority3()
    threads = filled(policy, *TaskPriority)
    assert [(t.name, thread.level) for t, thread in zip(TaskPriority, threads, strict=True)] == [
        ("LOW", 0),
        ("NORMAL", 1),
        ("HIGH", 2),
    ]
