"""The kernel's log: a ring of records, and a console that shows those of a level and above.

How a line looks is a `LogStyle`, which a profile chooses: the kernels that are this one's models
print `[SCHED] INFO: text`, `[INFO] text` or `[MM] text`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from pykern.kernel.core.clock import NS_PER_S, NS_PER_US
from pykern.kernel.core.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["STYLES", "Level", "Log", "LogStyle", "Record", "Subsystem"]


class Level(IntEnum):
    """How much a record matters; the console shows those at or above its own level."""

    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40


class Record(NamedTuple):
    """One line of the log.

    Attributes
    ----------
    time_ns : virtual time
    plain : printed without its level, whatever the style says
    """

    time_ns: int
    level: Level
    subsystem: str
    text: str
    plain: bool


def _seconds(time_ns: int) -> str:
    """Return a time as dmesg prints it: seconds and microseconds, aligned."""
    seconds, rest_ns = divmod(time_ns, NS_PER_S)
    return f"{seconds:5d}.{rest_ns // NS_PER_US:06d}"


@dataclass(frozen=True)
class LogStyle:
    """The form of a line; the fields are `subsystem`, `level`, `text` and `time` (seconds).

    Attributes
    ----------
    plain : a line without its level
    tagged : a line with its level
    tagged_from : lowest level that is named in the line

    Raises
    ------
    ValueError : a template names another field
    """

    plain: str = "[{subsystem}] {text}"
    tagged: str = "[{subsystem}] {level}: {text}"
    tagged_from: Level = Level.WARN

    def __post_init__(self) -> None:
        for template in (self.plain, self.tagged):
            try:
                self._fill(template, Record(0, Level.INFO, "", "", plain=False))
            except (LookupError, ValueError) as error:
                raise ValueError(f"log style {template!r}: bad field {error}") from error

    def line(self, record: Record) -> str:
        """Return a record as a line, without an end of line."""
        tagged = record.level >= self.tagged_from and not record.plain
        return self._fill(self.tagged if tagged else self.plain, record)

    @staticmethod
    def _fill(template: str, record: Record) -> str:
        return template.format(
            subsystem=record.subsystem,
            level=record.level.name,
            text=record.text,
            time=_seconds(record.time_ns),
        )


STYLES: Registry[LogStyle] = Registry("log style")
# This kernel's own; the level is named where something is wrong.
STYLES.register("pykern")(LogStyle())
STYLES.register("timed")(
    LogStyle("[{time}] {subsystem}: {text}", "[{time}] {subsystem}: {level}: {text}")
)
# MelloOS: mm_log! has no level and mm_info! has.
STYLES.register("mello")(LogStyle(tagged_from=Level.DEBUG))
# Scarlett names the level and no subsystem.
STYLES.register("scarlett")(LogStyle("{text}", "[{level}] {text}", Level.DEBUG))


# Myria names the part that speaks, except in headings.
STYLES.register("myria")(LogStyle("{text}", "[{subsystem}] {text}", Level.DEBUG))


class Subsystem:
    """The log as one part of the kernel sees it.

    Attributes
    ----------
    name : what stands in the brackets
    level : lowest level that this part shows on the console; None: the log's
    """

    __slots__ = ("_log", "level", "name")

    def __init__(self, log: Log, name: str) -> None:
        self._log = log
        self.name = name
        self.level: Level | None = None

    def debug(self, text: str) -> None:
        """Note what only a developer wants to see."""
        self.log(text, Level.DEBUG, plain=False)

    def info(self, text: str) -> None:
        """Note what happens."""
        self.log(text, Level.INFO, plain=False)

    def warn(self, text: str) -> None:
        """Note what is odd."""
        self.log(text, Level.WARN, plain=False)

    def error(self, text: str) -> None:
        """Note what went wrong."""
        self.log(text, Level.ERROR, plain=False)

    def log(self, text: str, level: Level = Level.INFO, *, plain: bool = True) -> None:
        """Note `text`, each of its lines as a record of its own, by default without its level."""
        for line in text.split("\n"):
            self._log.add(self, level, line, plain=plain)


class Log:
    """The kernel's log.

    Parameters
    ----------
    sink : takes the console's lines, each with its end of line
    level : lowest level that the console shows; the ring keeps all
    style : how a line looks on the console
    now_ns : virtual time; where there is no clock yet, records are from time 0
    capacity : records that the ring keeps
    """

    def __init__(
        self,
        sink: Callable[[str], None],
        level: Level = Level.INFO,
        *,
        style: LogStyle | None = None,
        now_ns: Callable[[], int] = lambda: 0,
        capacity: int = 4096,
    ) -> None:
        self.sink = sink
        self.level = level
        self.style = style or STYLES.get("pykern")
        self.now_ns = now_ns
        self._ring: deque[Record] = deque(maxlen=capacity)
        self._subsystems: dict[str, Subsystem] = {}

    def subsystem(self, *names: str) -> Subsystem:
        """Return the part of that name; ``("SCHED", "core0")`` prints as ``[SCHED][core0]``."""
        name = "][".join(names)
        if name not in self._subsystems:
            self._subsystems[name] = Subsystem(self, name)
        return self._subsystems[name]

    def add(self, part: Subsystem, level: Level, line: str, *, plain: bool) -> None:
        """Keep a record and show it, where its level is high enough."""
        record = Record(self.now_ns(), level, part.name, line, plain)
        self._ring.append(record)
        if level >= (self.level if part.level is None else part.level):
            self.sink(self.style.line(record) + "\n")

    def records(self) -> tuple[Record, ...]:
        """Return what the ring holds, oldest first."""
        return tuple(self._ring)

    def dmesg(self) -> str:
        """Return what the ring holds as text with virtual timestamps, as dmesg(1) prints it."""
        style = STYLES.get("timed")
        return "".join(style.line(record) + "\n" for record in self._ring)
