"""A target of a hundred lines: two processors of a made-up machine that count, store and jump.

Program memory is 256 bytes from address 0. An instruction is two bytes: 0 n adds n to A, 1 n stores
A at n, 2 n jumps to n, anything else stops the processor for ever.
"""

from __future__ import annotations

from gdbstub import (
    Architecture,
    BreakpointKind,
    Exited,
    Feature,
    Register,
    Stop,
    StopKind,
    TargetError,
    Thread,
    ThreadId,
)

ARCHITECTURE = Architecture(
    "toy",
    (
        Feature("org.example.toy.core", (Register("a", 32), Register("pc", 64, "code_ptr"))),
        Feature("org.example.toy.system", (Register("id", 8), Register("secret", 16))),
    ),
    general_features=1,
    pc="pc",
    expedited=("pc",),
)
PROGRAM = bytes((0, 1, 0, 2, 1, 0x80, 2, 0))
FILES = {"/toy.bin": PROGRAM}


class Toy:
    """The target; `run` executes what `resume` has asked for."""

    architecture = ARCHITECTURE
    breakpoint_kinds = frozenset({BreakpointKind.SOFTWARE, BreakpointKind.WRITE})
    physical_memory = False

    def __init__(self):
        self.memory = bytearray(PROGRAM.ljust(256, b"\xff"))
        self.cpus = {ThreadId(1, n): {"a": 0, "pc": 0, "id": n} for n in (1, 2)}
        self.breakpoints = set()
        self.actions, self.interrupted, self.ended = {}, False, False

    def state(self):
        """Everything that a rejected packet must leave as it is."""
        cpus = {thread: dict(registers) for thread, registers in self.cpus.items()}
        return bytes(self.memory), cpus, set(self.breakpoints), dict(self.actions), self.ended

    def threads(self):
        return [Thread(thread, f"cpu{thread.tid}", thread.tid - 1) for thread in self.cpus]

    def read_registers(self, thread, names):
        return [self.cpus[thread].get(name) for name in names]

    def write_registers(self, thread, values):
        self.cpus[thread].update(values)

    def read_memory(self, _thread, address, size):
        if address >= len(self.memory):
            raise TargetError(f"no memory at {address:#x}")
        return bytes(self.memory[address : address + size])

    def write_memory(self, _thread, address, data):
        if address + len(data) > len(self.memory):
            raise TargetError(f"no memory at {address + len(data):#x}")
        self.memory[address : address + len(data)] = data

    def resume(self, actions):
        self.actions = actions

    def interrupt(self):
        self.interrupted = True

    def insert_breakpoint(self, _thread, wanted):
        self.breakpoints.add(wanted)

    def remove_breakpoint(self, _thread, wanted):
        self.breakpoints.discard(wanted)

    def monitor(self, _thread, command):
        if command != "hello":
            raise TargetError(f"no command {command!r}")
        return "hello, too"

    def memory_map(self):
        return [("ram", 0, 256)]

    def exec_file(self, _pid):
        return "/toy.bin"

    def open_file(self, path):
        if path not in FILES:
            raise FileNotFoundError(path)
        return FILES[path]

    def detach(self):
        self.breakpoints.clear()

    def kill(self, _pid):
        self.ended = True

    def restart(self):
        for registers in self.cpus.values():
            registers.update(a=0, pc=0)

    def run(self, most=1000):
        """Execute until something stops it; return what."""
        first, self.interrupted = True, False
        for _ in range(most):
            for thread, action in self.actions.items():
                stop = self._execute(thread, first, action)
                if stop is not None:
                    return stop
            first = False
        return Stop(next(iter(self.actions)), 2)

    def _execute(self, thread, first, action):
        cpu = self.cpus[thread]
        here = [b for b in self.breakpoints if b.kind == 0 and b.address == cpu["pc"]]
        if here and not first:
            return Stop(thread, kind=StopKind.SWBREAK)
        opcode, operand = self.memory[cpu["pc"] : cpu["pc"] + 2].ljust(2, b"\xff")
        if opcode > 2:
            return Exited(1, cpu["a"] & 0xFF)
        cpu["pc"] = operand if opcode == 2 else cpu["pc"] + 2
        cpu["a"] += operand if opcode == 0 else 0
        if opcode == 1:
            self.memory[operand] = cpu["a"] & 0xFF
            if any(b.kind == 2 and b.address == operand for b in self.breakpoints):
                return Stop(thread, kind=StopKind.WATCH, address=operand)
        inside = action.within and action.within[0] <= cpu["pc"] < action.within[1]
        return Stop(thread) if action.step and not inside else None


class NonStopToy(Toy):
    """One whose processors go on and stop one by one; `run_until_stop` lets those go on that do."""

    non_stop = False

    def __init__(self):
        super().__init__()
        self.halting = []

    def resume(self, actions):
        self.actions = {**self.actions, **actions} if self.non_stop else actions

    def running_threads(self):
        return set(self.actions) if self.non_stop else set()

    def stop_threads(self, threads):
        self.halting += threads

    def run_until_stop(self):
        """Return the next stop of a thread."""
        stop = Stop(self.halting.pop(0), signal=0) if self.halting else self.run(20)
        del self.actions[stop.thread]
        return stop
