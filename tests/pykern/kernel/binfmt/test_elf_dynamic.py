"""MIC-18: dynamically linked programs, with the host's own ld.so and C library."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.pykern.kernel import hosted

LOADER = "/lib64/ld-linux-x86-64.so.2"
C_FLAGS = ("-O1", "-Wall", "-Wextra", "-Werror", "-march=x86-64")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the folder with the program `dynamic` and its library."""
    if not Path(LOADER).exists():
        pytest.skip(f"no {LOADER} on this host")
    folder = tmp_path_factory.mktemp("dynamic")

    def gcc(*arguments):
        command = ["gcc", *C_FLAGS, "-I", str(hosted.GUESTS), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        assert not done.returncode, done.stderr

    gcc("-shared", "-fPIC", str(hosted.GUESTS / "greet.c"), "-o", "libgreet.so")
    source = str(hosted.GUESTS / "dynamic.c")
    for name, kind in (("dynamic", "-pie"), ("fixed", "-no-pie")):
        code = "-fPIE" if kind == "-pie" else "-fno-pie"
        gcc(code, kind, source, "-L.", "-lgreet", "-ldl", "-Wl,-rpath,/work", "-o", name)
    return folder


def libraries(program):
    """Return what ldd says a program needs, from the host."""
    shown = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    paths = re.findall(r"(/\S+) \(0x", shown)
    math = next(Path(paths[0]).parent.glob("libm.so.6"), Path("/lib/x86_64-linux-gnu/libm.so.6"))
    found = {*paths, str(math), LOADER}
    return {path: Path(path).read_bytes() for path in found if "libgreet" not in path}


@pytest.mark.parametrize("name", ["dynamic", "fixed"])
def test_a_program_finds_its_libraries(kernel_image, built, name):
    """MIC-18: PT_INTERP; position independent or not, it does what it does on the host."""
    program, library = built / name, {"libgreet.so": (built / "libgreet.so").read_bytes()}
    wanted = subprocess.run(
        [str(program), "argument"],
        capture_output=True,
        env={"LD_LIBRARY_PATH": str(built)},
        check=False,
    )
    assert wanted.stdout.startswith(b"hello from a library 42 argument\n0.540302\n")
    programs = {str(program): program.read_bytes(), **libraries(program)}
    system = hosted.batch(
        kernel_image, [[str(program), "argument"]], programs, library, memory=96 * hosted.MIB
    ).run()
    assert hosted.results(system, 1) == [hosted.Result(wanted.stdout, wanted.returncode)]


def test_without_an_interpreter_it_is_no_program(kernel_image, built):
    """MIC-18: ENOENT, as Linux has it."""
    program = built / "dynamic"
    system = hosted.make(
        kernel_image, files={"/d": program.read_bytes()}, command_line="init=/d"
    ).run()
    assert "cannot run /d: ENOENT" in system.log
