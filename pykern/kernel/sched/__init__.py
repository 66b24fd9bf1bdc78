"""Which thread runs where, and for how long."""

from pykern.kernel.sched.metrics import CpuTimes, Metrics
from pykern.kernel.sched.policies import POLICIES
from pykern.kernel.sched.policy import Policy, PolicyFactory, Reason
from pykern.kernel.sched.schedulable import ANY_CPU, SchedClass, Schedulable, State
from pykern.kernel.sched.scheduler import Scheduler

__all__ = [
    "ANY_CPU",
    "POLICIES",
    "CpuTimes",
    "Metrics",
    "Policy",
    "PolicyFactory",
    "Reason",
    "SchedClass",
    "Schedulable",
    "Scheduler",
    "State",
]
