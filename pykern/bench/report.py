"""What the measurements say: rates, ratios, geometric means, and what was to be reached."""

from __future__ import annotations

import dataclasses
import statistics
from typing import TYPE_CHECKING

from pykern.bench.programs import GROUPS, Program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pykern.bench.measure import Measurement

OWN = "pykern"
REFERENCE = "bochs"
PEERS = ("qemu", "bochs")

_WHOLE = 100  # from here on, digits behind the point say nothing


@dataclasses.dataclass(frozen=True)
class Row:
    """One program on all machines.

    Attributes
    ----------
    program : Program
        What was run.
    measurements : Mapping[str, Measurement]
        By name of the machine.
    errors : Mapping[str, str]
        Machines that did not run it to its end.
    """

    program: Program
    measurements: Mapping[str, Measurement]
    errors: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def instructions(self) -> float | None:
        """Guest instructions of one iteration: pykern's count, else a peer's."""
        counts = {name: m.instructions for name, m in self.measurements.items() if m.instructions}
        return counts.get(OWN) or next(iter(counts.values()), None)

    @property
    def agreed(self) -> bool:
        """Whether all machines printed the same checksum, and none failed."""
        return len({m.checksum for m in self.measurements.values()}) <= 1 and not self.errors

    def rate(self, machine: str) -> float | None:
        """Bytes per second of a bulk program, instructions per second of any other."""
        measured = self.measurements.get(machine)
        work = self.program.bytes or self.instructions
        return work / measured.seconds_per_iteration if measured and work else None

    def ratio(self, peer: str) -> float | None:
        """How many times as fast as the peer pykern is."""
        own, other = self.measurements.get(OWN), self.measurements.get(peer)
        return other.seconds_per_iteration / own.seconds_per_iteration if own and other else None

    @property
    def reached(self) -> bool | None:
        """Whether it reaches what is asked of each program of its group; None if nothing is."""
        group = GROUPS[self.program.group]
        if group.bytes_per_second:
            rate = self.rate(OWN)
            return None if rate is None else rate >= group.bytes_per_second
        ratio = self.ratio(REFERENCE)
        if group.mean or not group.times_bochs or ratio is None:
            return None
        return ratio >= group.times_bochs


def geometric_mean(values: Iterable[float | None]) -> float | None:
    """Return the geometric mean; None when a value is missing, as the rest would mislead."""
    known = list(values)
    present = [value for value in known if value is not None]
    return statistics.geometric_mean(present) if present and len(present) == len(known) else None


def group_reached(name: str, rows: list[Row]) -> bool | None:
    """Whether a group reaches what is asked of its mean; None if nothing is asked or known."""
    group = GROUPS[name]
    mean = geometric_mean(row.ratio(REFERENCE) for row in rows)
    if not group.mean or mean is None:
        return None
    return mean >= group.times_bochs


def table(rows: list[Row]) -> Iterator[str]:
    """Format the rows by group, with geometric means, as lines of text."""
    heads = ("unit", "insns/iter", OWN, *PEERS, *(f"x {peer}" for peer in PEERS))
    yield f"{'program':<18}" + "".join(f"{head:>12}" for head in heads) + "  to reach"
    for name, group in GROUPS.items():
        members = [row for row in rows if row.program.group == name]
        if not members:
            continue
        yield f"-- {group.title}"
        yield from map(_line, members)
        if len(members) > 1:
            yield _mean_line(name, members)


def _line(row: Row) -> str:
    unit, scale = ("GB/s", 1e9) if row.program.bytes else ("MIPS", 1e6)
    count = row.instructions
    cells = [unit, f"{count:.0f}" if count else "-"]
    cells += [_number(row.rate(machine), scale) for machine in (OWN, *PEERS)]
    cells += [_number(row.ratio(peer)) for peer in PEERS]
    line = f"{row.program.name:<18}" + "".join(f"{cell:>12}" for cell in cells) + _asked(row)
    if row.agreed:
        return line
    sums = [f"{machine} {m.checksum}" for machine, m in row.measurements.items()]
    return f"{line}\n    WRONG: " + "; ".join(sums + list(row.errors.values()))


def _asked(row: Row) -> str:
    group = GROUPS[row.program.group]
    verdict = {None: "", True: " ok", False: " NOT REACHED"}[row.reached]
    if group.bytes_per_second:
        return f"  {group.bytes_per_second / 1e9:.0f} GB/s{verdict}"
    if group.mean or not group.times_bochs:
        return ""
    return f"  {group.times_bochs:.0f}x bochs{verdict}"


def _mean_line(name: str, rows: list[Row]) -> str:
    group = GROUPS[name]
    scale = 1e9 if rows[0].program.bytes else 1e6
    cells = ["", ""]
    cells += [
        _number(geometric_mean(row.rate(machine) for row in rows), scale)
        for machine in (OWN, *PEERS)
    ]
    cells += [_number(geometric_mean(row.ratio(peer) for row in rows)) for peer in PEERS]
    line = f"{'  geometric mean':<18}" + "".join(f"{cell:>12}" for cell in cells)
    if not group.mean:
        return line
    verdict = {None: "", True: " ok", False: " NOT REACHED"}[group_reached(name, rows)]
    return f"{line}  {group.times_bochs:.0f}x bochs{verdict}"


def _number(value: float | None, scale: float = 1.0) -> str:
    if value is None:
        return "-"
    value /= scale
    return f"{value:#.3g}" if value < _WHOLE else f"{value:.0f}"


def as_json(rows: list[Row], versions: Mapping[str, str]) -> dict[str, object]:
    """Return everything measured as plain data."""
    return {
        "machines": dict(versions),
        "programs": [_program(row) for row in rows],
        "groups": dict(_groups(rows)),
    }


def _program(row: Row) -> dict[str, object]:
    machines = {
        machine: {
            "checksum": measured.checksum,
            "iterations": measured.iterations,
            "seconds": measured.seconds,
            "rate": row.rate(machine),
            "events_per_second": row.program.events / measured.seconds_per_iteration,
        }
        for machine, measured in row.measurements.items()
    }
    return {
        "name": row.program.name,
        "group": row.program.group,
        "unit": "bytes/s" if row.program.bytes else "instructions/s",
        "instructions_per_iteration": row.instructions,
        "machines": machines,
        "ratios": {peer: row.ratio(peer) for peer in PEERS},
        "agreed": row.agreed,
        "reached": row.reached,
        "errors": dict(row.errors),
    }


def _groups(rows: list[Row]) -> Iterator[tuple[str, dict[str, object]]]:
    for name in GROUPS:
        members = [row for row in rows if row.program.group == name]
        if members:
            means = {peer: geometric_mean(row.ratio(peer) for row in members) for peer in PEERS}
            yield name, {"ratios": means, "reached": group_reached(name, members)}
