"""``python -m pykern bench``: guest programs on pykern and on the peers installed here.

All machines run the same images in the same run, so that the ratios compare like with like.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pykern.bench import host, image, measure, peers, report
from pykern.bench.machines import RunError, Runner
from pykern.bench.programs import GROUPS, PROGRAMS, Program

if TYPE_CHECKING:
    from pykern.bench.gdb import Comparison
    from pykern.bench.kernel import Rate

HOST, KERNEL, GDB = "host", "kernel", "gdb"
_OWN = {
    HOST: "what a machine costs its host",
    KERNEL: "what the hosted kernel costs",
    GDB: "the debugger's stub, beside QEMU's",
}
"""Groups that run no guest program of the table."""
_ABOUT = (
    "Measure how fast guest programs run here and on the peers that are installed, what a machine "
    "costs its host, what the hosted kernel's calls cost, and the debugger beside QEMU's."
)
STATUS_OK, STATUS_WRONG, STATUS_USAGE = 0, 1, 2


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status.

    Parameters
    ----------
    argv : list of str, optional
        Arguments after ``bench``; those of the process if left out.

    Returns
    -------
    int
        0; 1 if checksums differ, a machine failed or, with ``--check``, a goal was missed;
        2 for wrong usage.
    """
    options = _parser().parse_args(argv)
    programs, groups = _selected(options.only)
    if options.list:
        for name, title in _OWN.items():
            print(f"{name:<18} {name:<8} {title}")
        for program in programs:
            print(f"{program.name:<18} {program.group:<8} {GROUPS[program.group].title}")
        return STATUS_OK
    with tempfile.TemporaryDirectory(prefix="pykern-bench-") as directory:
        try:
            rows, versions = _run(options, programs, Path(directory))
        except image.BuildError as error:
            print(f"pykern bench: {error}", file=sys.stderr)
            return STATUS_WRONG
    own: dict[str, list[host.Figure] | list[Rate] | list[Comparison]] = {
        HOST: [], KERNEL: [], GDB: [],
    }  # fmt: skip
    if HOST in groups and not options.without_pykern:
        own[HOST] = _host_figures(options.build)
    if KERNEL in groups and not options.without_pykern:
        own[KERNEL] = _kernel_rates()
    if GDB in groups and not options.without_pykern:
        own[GDB] = _gdb_comparisons()
    if options.json:
        data = report.as_json(rows, versions) | {
            name: [dataclasses.asdict(measured) for measured in all_] for name, all_ in own.items()
        }
        options.json.write_text(json.dumps(data, indent=1) + "\n")
    if options.check and not all(m.reached for all_ in own.values() for m in all_):
        return STATUS_WRONG
    return _status(rows, options.check)


def _host_figures(build: bool) -> list[host.Figure]:
    """Measure and print what a machine costs its host."""
    measured = []
    for figure in host.figures(build=build):
        print(host.line(figure), flush=True)
        measured.append(figure)
    return measured


def _kernel_rates() -> list[Rate]:
    """Measure and print what the hosted kernel costs."""
    # Imported here, so that the peers can be measured without the compiled core.
    from pykern.bench import kernel

    measured = []
    for rate in kernel.rates():
        print(kernel.line(rate), flush=True)
        measured.append(rate)
    return measured


def _gdb_comparisons() -> list[Comparison]:
    """Measure and print what the debugger's stub does, beside QEMU's."""
    from pykern.bench import gdb

    measured = []
    with tempfile.TemporaryDirectory(prefix="pykern-gdb-") as directory:
        for row in gdb.comparisons(Path(directory)):
            print(gdb.line(row), flush=True)
            measured.append(row)
    return measured


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pykern bench", description=_ABOUT)
    parser.add_argument(
        "--only", metavar="NAME,…", default="", help="programs or groups (default: all)"
    )
    parser.add_argument(
        "--peers",
        type=_peers,
        metavar="NAME,…",
        default="qemu,bochs",
        help="qemu, bochs or none",
    )
    parser.add_argument("--without-pykern", action="store_true", help="measure the peers alone")
    parser.add_argument(
        "--repeat", type=int, default=3, metavar="N", help="runs, of which the fastest counts"
    )
    parser.add_argument("--seconds", type=float, default=0.5, help="CPU time of a timed run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--check", action="store_true", help="status 1 when a goal is missed")
    parser.add_argument(
        "--build", action="store_true", help="compile the extension too, as part of 'host'"
    )
    parser.add_argument("--list", action="store_true", help="name the programs and stop")
    return parser


def _peers(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - {"qemu", "bochs", "none"}:
        there_is_no = ", ".join(sorted(unknown))
        raise argparse.ArgumentTypeError(f"no peer {there_is_no}, expected qemu, bochs or none")
    return names


def _selected(only: str) -> tuple[list[Program], set[str]]:
    """Return the programs to run, and which groups beside them to measure."""
    wanted = set(filter(None, only.split(",")))
    known = {program.name for program in PROGRAMS} | set(GROUPS) | set(_OWN)
    if unknown := wanted - known:
        print(f"pykern bench: no program or group {sorted(unknown)}; see --list", file=sys.stderr)
        raise SystemExit(STATUS_USAGE)
    programs = [p for p in PROGRAMS if not wanted or p.name in wanted or p.group in wanted]
    return programs, set(_OWN) & wanted if wanted else set(_OWN)


def _run(
    options: argparse.Namespace, programs: list[Program], directory: Path
) -> tuple[list[report.Row], dict[str, str]]:
    runners = peers.find(options.peers, directory)
    if not options.without_pykern:
        # Imported here, so that the peers can be measured without the compiled core.
        from pykern.bench.own import Pykern

        runners.insert(0, Pykern())
    versions = {runner.name: runner.version for runner in runners}
    print("; ".join(versions.values()))
    rows = []
    for program in programs:
        print(f"\r{program.name:<20}", end="", file=sys.stderr, flush=True)
        built = image.build(
            program.name.replace(":", "-"), program.source, directory, program.flags
        )
        rows.append(_row(program, built, runners, options))
    print("\r" + " " * 20 + "\r", end="", file=sys.stderr, flush=True)
    for line in report.table(rows) if rows else ():
        print(line)
    return rows, versions


def _row(
    program: Program, built: image.Image, runners: list[Runner], options: argparse.Namespace
) -> report.Row:
    measurements, errors = {}, {}
    for runner in runners:
        try:
            measurements[runner.name] = measure.measure(
                runner, built, program, options.repeat, options.seconds
            )
        except RunError as error:
            errors[runner.name] = str(error)
    return report.Row(program, measurements, errors)


def _status(rows: list[report.Row], check: bool) -> int:
    if not all(row.agreed for row in rows):
        return STATUS_WRONG
    if not check:
        return STATUS_OK
    missed = any(row.reached is False for row in rows)
    for name in GROUPS:
        missed |= (
            report.group_reached(name, [row for row in rows if row.program.group == name]) is False
        )
    return STATUS_WRONG if missed else STATUS_OK
