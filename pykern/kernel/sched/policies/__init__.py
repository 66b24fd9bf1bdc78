"""The scheduling policies, by name.

| name | order |
| --- | --- |
| `rr` | round robin, 10 ms each |
| `priority3` | High, Normal, Low; round robin within |
| `priority128` | 128 levels; round robin within |
| `mlfq` | five priorities; who uses up its slices sinks, who sleeps rises |
| `fair` | equal shares of virtual runtime, weighted by nice |
| `realtime` | SCHED_FIFO and SCHED_RR above `fair` |
| `cooperative` | first come, first served, until it gives way |
"""

from pykern.kernel.sched.policies.cooperative import Cooperative
from pykern.kernel.sched.policies.fair import Fair
from pykern.kernel.sched.policies.levels import LevelPolicy
from pykern.kernel.sched.policies.mlfq import MultilevelFeedback
from pykern.kernel.sched.policies.priority3 import Priority3, TaskPriority
from pykern.kernel.sched.policies.priority128 import Band, Priority128
from pykern.kernel.sched.policies.realtime import RealTime
from pykern.kernel.sched.policies.round_robin import RoundRobin
from pykern.kernel.sched.policy import POLICIES

__all__ = [
    "POLICIES",
    "Band",
    "Cooperative",
    "Fair",
    "LevelPolicy",
    "MultilevelFeedback",
    "Priority3",
    "Priority128",
    "RealTime",
    "RoundRobin",
    "TaskPriority",
]
