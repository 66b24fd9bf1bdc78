"""The command line: `pykern boot`, `pykern disasm`, `pykern bench`."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from pykern.cli import arguments
from pykern.cli.errors import UsageError
from pykern.exit_status import ExitStatus
from pykern.machine.boot import BootError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

__all__ = ["main"]

_BROKEN_PIPE = 128 + 13  # as the shell reports SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status. No exception but SystemExit leaves it."""
    args = arguments.parse(sys.argv[1:] if argv is None else argv)
    if not any(getattr(args, name, None) for name in ("gdb", "gdb_os", "wait_for_gdb", "load")):
        return _run(args)
    # Not imported by those who do not need it: it takes a machine to know how to go back.
    from pykern.cli import debugger

    return debugger.keep(lambda: _run(args), args)


def _run(args: argparse.Namespace) -> int:
    try:
        return int(args.command(args))
    except UsageError as error:
        return _fail(ExitStatus.USAGE, str(error))
    except BootError as error:
        return _fail(ExitStatus.BAD_IMAGE, str(error))
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not find that out again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(ExitStatus.USAGE, f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        return _fail(ExitStatus.INTERRUPTED, "interrupted")
    except Exception as error:  # the last line of defence: no traceback for users
        return _internal_error(error)


def _fail(status: ExitStatus, message: str) -> int:
    print(f"pykern: {message}", file=sys.stderr)
    return status


def _internal_error(error: Exception) -> int:
    if os.environ.get("PYKERN_TRACEBACK"):
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    kind = type(error).__name__
    message = f"internal error: {kind}: {error}{where}; PYKERN_TRACEBACK=1 shows where it came from"
    return _fail(ExitStatus.INTERNAL_ERROR, message)
