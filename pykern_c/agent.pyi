from collections.abc import Sequence

from pykern_c.vcpu import Vcpu

STACK_DEPTH: int
MOST_STEPS: int

class AgentError(Exception): ...

class AgentCondition:
    expressions: tuple[bytes, ...]
    def __init__(self, expressions: Sequence[bytes], registers: Sequence[str]) -> None: ...
    @property
    def tested(self) -> int: ...
    @property
    def held(self) -> int: ...
    def evaluate(self, vcpu: Vcpu, number: int = 0) -> int: ...
