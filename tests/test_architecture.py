"""The rules of the house, as tests.

Layers, sizes, names, partners, clocks: what `docs/style.md` and `docs/architecture.md` promise.
Every exemption carries its reason, and one that is no longer needed fails as well.
"""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from tests.sources import (
    PACKAGES,
    ROOT,
    cimports,
    cython_functions,
    functions,
    host_clock_uses,
    imports,
    python_functions,
    read,
    source_files,
)

FILE_LINES = 600
FUNCTION_LINES = 60
EVERYWHERE = (*PACKAGES, "tests")

# --- exemptions: what, and why -----------------------------------------------------------------

LONG_FILES: dict[str, str] = {}

LONG_FUNCTIONS: dict[str, str] = {}

# Tests of something wider than one source file.
TESTS_OF_WHOLES: dict[str, str] = {
    "tests/bench/test_programs.py": "the guest programs of the benchmark give the right answers",
    "tests/bench/test_startup.py": "importing the core and making a machine is cheap",
    "tests/gdbstub/test_command_lines.py": "gdb and pykern as people type them",
    "tests/gdbstub/test_pwndbg.py": "pwndbg on the machine",
    "tests/gdbstub/test_real_gdb.py": "Debian's gdb on the machine",
    "tests/gdbstub/test_real_gdb_agent.py": "the same, with what it leaves to the machine",
    "tests/pykern/debug/test_hostile_packets.py": "hostile conversations with a machine",
    "tests/gdbstub/test_real_gdb_mellos.py": "the same on MelloOS, on four processors",
    "tests/gdbstub/test_real_gdb_python.py": "Debian's gdb in the Python of the kernel",
    "tests/oracle/test_oracle.py": "the host as an oracle",
    "tests/oracle/test_unicorn.py": "Unicorn as an oracle",
    "tests/pykern/kernel/test_hostile_programs.py": "programs that do what they must not",
    "tests/pykern/kernel/test_mellos.py": "the feature list of MelloOS on its profile",
    "tests/pykern/test_default_image.py": "what a newcomer gets",
    "tests/pykern/test_linux_boots.py": "a kernel that nobody here wrote",
    "tests/test_checklist.py": "the rows of the feature list",
    "tests/pykern_c/isa/test_host_cpu.py": "every row against the host",
    "tests/pykern_c/isa/test_legacy_modes.py": "16- and 32-bit rows against Unicorn",
    "tests/pykern_c/test_hostile.py": "guests that try to break the machine",
    "tests/test_architecture.py": "the rules of the whole tree",
}

# Sources whose behaviour is shown by the test of something else: which one.
TESTED_ELSEWHERE: dict[str, str] = {
    # The words of the protocol, shown by conversations.
    **{
        f"gdbstub/{name}.py": "tests/gdbstub/test_session.py"
        for name in (
            "arch",
            "breakpoints",
            "commands",
            "files",
            "memory",
            "queries",
            "registers",
            "replies",
            "requests",
            "running",
            "target",
            "transfers",
        )
    },
    "gdbstub/formats.py": "tests/gdbstub/test_agent.py",
    "gdbstub/tracer.py": "tests/gdbstub/test_tracing.py",
    **{
        f"gdbstub/{name}.py": "tests/gdbstub/test_os_requests.py"
        for name in ("events", "os_target", "signals")
    },
    "gdbstub/handover.py": "tests/gdbstub/test_reverse.py",
    "gdbstub/x86.py": "tests/pykern/debug/test_machine_target.py",
    **{
        f"pykern/debug/{name}.py": "tests/pykern/debug/test_machine_target.py"
        for name in ("memory", "monitor", "registers", "tables")
    },
    # Shown by machines that go back.
    **{
        f"pykern/debug/history/{name}.py": "tests/pykern/debug/history/test_reversible_machine.py"
        for name in (
            "commands",
            "errands",
            "history",
            "landing",
            "position",
            "replay",
            "reversible_target",
            "travel",
            "work",
        )
    },
    **{
        f"pykern/debug/history/{name}.py": "tests/pykern/debug/history/test_saved.py"
        for name in ("save_commands", "timeline")
    },
    **{
        f"pykern/debug/history/{name}.py": "tests/gdbstub/test_gdb_os_reverse.py"
        for name in ("reversible_system",)
    },
    "pykern/debug/landing_run.py": "tests/pykern/debug/history/test_reversible_machine.py",
    "pykern/debug/history/loading.py": "tests/gdbstub/test_gdb_saved.py",
    **{
        f"pykern/debug/history/{name}.py": "tests/pykern/debug/history/test_processes.py"
        for name in ("channel", "checkpoints")
    },
    **{
        f"pykern/debug/history/{name}.py": "tests/pykern/debug/history/test_journal.py"
        for name in ("console", "outputs")
    },
    **{
        f"pykern/debug/{name}.py": "tests/pykern/debug/test_agent.py"
        for name in ("points", "tracing", "watching")
    },
    **{
        f"pykern/debug/python_source/{name}.py": "tests/pykern/debug/python_source/test_debugger.py"
        for name in ("commands", "frame_context", "post_mortem")
    },
    **{
        f"pykern/debug/{name}.py": "tests/pykern/debug/test_debugged_machine.py"
        for name in ("execution", "hooked_run")
    },
    "images/errors.py": "tests/images/test_build.py",
    "images/toml_table.py": "tests/images/test_manifest.py",
    "pykern/machine/media/errors.py": "tests/pykern/machine/media/test_iso.py",
    "pykern/bench/rsp.py": "tests/pykern/bench/test_gdb.py",
    "pykern/bench/machines.py": "tests/pykern/bench/test_peers.py",
    "pykern/bench/own.py": "tests/bench/test_programs.py",
    "pykern/bench/programs.py": "tests/bench/test_programs.py",
    "pykern/kernel/core/bug.py": "tests/pykern/kernel/mm/test_frames.py",
    # What a kernel is made of shows when it comes up.
    "pykern/kernel/mm/memory.py": "tests/pykern/kernel/core/test_memory.py",
    # What an instruction is made of.
    "pykern_c/cases.p*": "tests/pykern_c/isa/test_host_cpu.py",
    "pykern_c/cpu.pxd": "tests/pykern_c/test_machine.py",
    "pykern_c/decode.p*": "tests/pykern_c/isa/test_host_cpu.py",
    "pykern_c/fuse.p*": "tests/pykern_c/isa/test_fusion.py",
    "pykern_c/flags.pxd": "tests/pykern_c/isa/test_host_cpu.py",
    "pykern_c/isa/*.pxd": "tests/pykern_c/isa/test_host_cpu.py",
    "pykern_c/host_sse.pxd": "tests/pykern_c/isa/test_host_cpu.py",
    "pykern_c/host_x87.pxd": "tests/pykern_c/test_x87.py",
    "pykern_c/x87_environment.pxd": "tests/pykern_c/test_x87.py",
    "pykern_c/isa/bodies.py": "tests/pykern_c/isa/test_generate.py",
    "pykern_c/isa/handlers.py": "tests/pykern_c/isa/test_generate.py",
    "pykern_c/isa/tables.py": "tests/pykern_c/isa/test_generate.py",
    "pykern_c/templates.pxd": "tests/pykern_c/test_train.py",
    "pykern_c/operands.pxd": "tests/pykern_c/isa/test_host_cpu.py",
    "pykern_c/simd_exceptions.pxd": "tests/pykern_c/isa/test_host_cpu.py",
    "pykern_c/types.pxd": "tests/pykern_c/isa/test_host_cpu.py",
    "pykern_c/vector.pxd": "tests/pykern_c/isa/test_host_cpu.py",
    # What the face shows.
    "pykern_c/callbacks.p*": "tests/pykern_c/test_machine.py",
    "pykern_c/memory_map.p*": "tests/pykern_c/test_machine.py",
    "pykern_c/paging.p*": "tests/pykern_c/test_mmu.py",
    "pykern_c/stale.p*": "tests/pykern_c/test_mmu.py",
    "pykern_c/execute.p*": "tests/pykern_c/test_machine.py",
    "pykern_c/memory.pxd": "tests/pykern_c/test_machine.py",
}

HOST_CLOCK_USERS: dict[str, str] = {
    "pykern/bench/gdb.py": "measures",
    "pykern/bench/host.py": "measures",
    "pykern/bench/kernel.py": "measures",
    "pykern/bench/own.py": "measures",
    "pykern/bench/rsp.py": "waits for a stub to listen",
    "pykern/cli/host_clock.py": "paces an interactive session",
}

# --- layers --------------------------------------------------------------------------------------


def test_imports_run_downward(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename="pyproject.toml", no_cache=True) == 0


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [("pykern_c", {"pykern", "gdbstub"}), ("gdbstub", {"pykern", "pykern_c"})],
)
def test_independent_parts_do_not_import_each_other(package, forbidden):
    offenders = [
        f"{path} imports {module}"
        for path in source_files(".py", ".pyi", under=(package,))
        for module in imports(read(path))
        if module.split(".")[0] in forbidden
    ]
    assert offenders == []


def test_the_core_takes_declarations_from_itself_and_c_only():
    allowed = {"pykern_c", "libc", "cpython", "cython"}
    offenders = [
        f"{path} cimports {module}"
        for path in source_files(".pyx", ".pxd")
        for module in cimports(read(path))
        if module.split(".")[0] not in allowed
    ]
    assert offenders == []


def test_cimports_have_no_cycle():
    graph = {
        _module(path): {m for m in cimports(read(path)) if m.startswith("pykern_c.")}
        for path in source_files(".pxd")
    }
    assert _cycle(graph) is None


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def _cycle(graph: dict[str, set[str]]) -> list[str] | None:
    """Return one cycle of the graph as a list of its nodes."""
    done: set[str] = set()

    def visit(node: str, trail: list[str]) -> list[str] | None:
        if node in trail:
            return trail[trail.index(node) :]
        if node in done:
            return None
        found = next(filter(None, (visit(n, [*trail, node]) for n in graph.get(node, ()))), None)
        done.add(node)
        return found

    return next(filter(None, (visit(node, []) for node in graph)), None)


# --- one instruction, one place ------------------------------------------------------------------


ROW = re.compile(
    r"^\s+(?:(?:NP|66|F2|F3|REX\.W|W[01]) )*[0-9A-F]{2}\b.*\S  +[A-Z]\w+", re.MULTILINE
)
SOURCE = re.compile(r"^\s*Source: (?:SDM|APM) Vol\. \d\w*, \S", re.MULTILINE)


def test_every_instruction_cites_its_source():
    instructions = [
        (path, function)
        for path in source_files(".pxd", under=("pykern_c/isa",))
        for function in functions(path)
        if ROW.search(function.docstring)
    ]
    assert instructions, "pykern_c/isa defines no instruction"
    missing = [
        f"{path}:{function.line} {function.name}"
        for path, function in instructions
        if not SOURCE.search(function.docstring)
    ]
    assert missing == []


# --- sizes ---------------------------------------------------------------------------------------


def test_files_are_short():
    sizes = {
        str(path): len(read(path).splitlines())
        for path in source_files(".py", ".pyx", ".pxd", under=EVERYWHERE)
    }
    long = {path for path, lines in sizes.items() if lines > FILE_LINES}
    assert long == set(LONG_FILES), "left: too long, or right: exempt and no longer long"


def test_functions_are_short():
    long = {
        f"{path}:{function.name}"
        for path in source_files(".py", ".pyx", ".pxd", under=EVERYWHERE)
        for function in functions(path)
        if function.lines > FUNCTION_LINES
    }
    assert long == set(LONG_FUNCTIONS), "left: too long, or right: exempt and no longer long"


# --- names ---------------------------------------------------------------------------------------


def test_names_say_what_is_inside():
    vague = {"common", "helpers", "manager", "misc", "util", "utils"}
    files = source_files(".py", ".pyx", ".pxd", under=EVERYWHERE)
    assert [str(path) for path in files if vague & {path.stem, *path.parts}] == []


# --- partners ------------------------------------------------------------------------------------


def _test_files() -> list[Path]:
    return [path for path in source_files(".py", under=("tests",)) if path.match("test_*.py")]


def _sources_of(test: Path) -> set[Path]:
    """Return what a test file may mirror, without suffix: tests/a/test_b_c.py → a/b_c, a/b.

    A helper of the tests is tested beside itself: tests/oracle/test_table.py → tests/oracle/table.
    """
    words = test.stem.split("_")[1:]
    names = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    return {place / name for place in (Path(*test.parts[1:-1]), test.parent) for name in names}


def _exists(source: Path) -> bool:
    path = ROOT / source
    suffixes = (".py", ".pyx", ".pxd")
    return path.is_dir() or any(path.with_name(path.name + s).exists() for s in suffixes)


def test_every_test_file_mirrors_a_source_file():
    lonely = {str(test) for test in _test_files() if not any(map(_exists, _sources_of(test)))}
    assert lonely == set(TESTS_OF_WHOLES), "left: no such source, or right: stale exemption"


def test_every_source_file_has_a_test_file():
    mirrored = set().union(*map(_sources_of, _test_files()))
    untested = {
        str(path)
        for path in source_files(".py", ".pyx", ".pxd")
        if path.stem not in {"__init__", "__main__"}
        and mirrored.isdisjoint({path.with_suffix(""), *_packages_around(path)})
    }
    unexplained = {u for u in untested if not any(fnmatch(u, p) for p in TESTED_ELSEWHERE)}
    stale = {p for p in TESTED_ELSEWHERE if not any(fnmatch(u, p) for u in untested)}
    assert (unexplained, stale) == (set(), set())


def _packages_around(path: Path) -> list[Path]:
    """Return the packages below the top whose one test file may stand for all of it."""
    return [parent for parent in path.parents if len(parent.parts) > 1]


def test_what_is_tested_elsewhere_is_tested_there():
    assert [test for test in TESTED_ELSEWHERE.values() if not (ROOT / test).exists()] == []


# --- repeatable ----------------------------------------------------------------------------------


def test_nothing_looks_at_the_host_clock():
    users = {
        str(path): uses
        for path in source_files(".py", under=EVERYWHERE)
        if (uses := host_clock_uses(read(path)))
    }
    offenders = {path: uses for path, uses in users.items() if path not in HOST_CLOCK_USERS}
    assert (offenders, set(HOST_CLOCK_USERS) - set(users)) == ({}, set())


# --- what the documents say ----------------------------------------------------------------------

DOCUMENTS = [Path("README.md"), *(p.relative_to(ROOT) for p in (ROOT / "docs").rglob("*.md"))]
PATH_IN_TEXT = re.compile(r"`((?:pykern|pykern_c|tests|docs|\.ci)/[\w./-]*)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_paths_in_documents_exist(document):
    text = read(document)
    here = (ROOT / document).parent
    paths = [name for name in PATH_IN_TEXT.findall(text) if "_generated" not in name]
    wrong = [name for name in paths if not (ROOT / name).exists()]
    wrong += [name for name in LINK.findall(text) if not (here / name).exists()]
    assert wrong == []


def test_options_in_the_readme_exist():
    command = [sys.executable, "-m", "pykern", "boot", "--help"]
    known = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    named = re.findall(r"(?<!\w)--[a-z][a-z-]+", read(Path("README.md")))
    assert named
    assert [option for option in named if option not in known] == []


def test_ci_runs_the_test_command_of_the_readme():
    commands = re.findall(r"^    (.*\btox)$", read(Path("README.md")), re.MULTILINE)
    assert len(commands) == 1
    assert commands[0] in read(Path(".ci/run")).splitlines()


# --- the rules themselves can fail ---------------------------------------------------------------

CYTHON = '''
cdef extern from "x.h":
    int declared(int a) nogil

cdef inline u64 add(Cpu* cpu, int w,
                    u64 dst) noexcept nogil:
    """Add.

    01 /r      ADD Ev, Gv    lock

    Source: SDM Vol. 2A, ADD.
    """
    # a comment
    return dst

cdef class Machine:
    def run(self):
        return 1
    cdef void _stop(self) noexcept:
        pass
'''


def test_cython_functions_are_found_with_their_length_and_docstring():
    found = list(cython_functions(CYTHON))
    assert [(f.name, f.line, f.lines) for f in found] == [
        ("add", 5, 10),
        ("run", 17, 2),
        ("_stop", 19, 2),
    ]
    assert ROW.search(found[0].docstring)
    assert SOURCE.search(found[0].docstring)
    assert not found[1].docstring


def test_python_functions_are_found_when_nested():
    found = list(python_functions("def f():\n    async def g():\n        pass\n"))
    assert [(f.name, f.lines) for f in found] == [("f", 3), ("g", 2)]


def test_cimports_are_found():
    text = "from libc.stdint cimport uint8_t\ncimport cython\nimport os\n    cimport numpy as np\n"
    assert cimports(text) == ["libc.stdint", "cython", "numpy"]


def test_a_cycle_is_found():
    assert _cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]
    assert _cycle({"a": {"b", "c"}, "b": {"c"}}) is None


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.sleep(1)",
        "from time import perf_counter",
        "import random\nrandom.shuffle(x)",
        "rng = random.Random()",
        "rng = numpy.random.default_rng()",
        "stamp = datetime.now()",
    ],
)
def test_a_host_clock_is_found(text):
    assert host_clock_uses(text)


@pytest.mark.parametrize("text", ["rng = random.Random(7)", "machine.events.now", "import time"])
def test_virtual_time_and_seeds_are_not_host_clocks(text):
    assert host_clock_uses(text) == []
