"""The same programs on the host and in the machine print the same, case by case."""

import subprocess
import sys

import pytest

from tests.userland.bin.test_sh import CASES as SCRIPTS
from tests.userland.cases import FILES, cases
from tests.userland.machine_script import results, script
from tests.userland.running import write_files
from tests.userland.test_demos import FAULTS

pytestmark = pytest.mark.slow

# Not "alarm": the kernel has no alarm() yet, and the program would wait for ever.
LIBRARY = ("calendar", "files", "formats", "heap", "signals", "strings")

# What a script asks of the host that the machine has otherwise, by a word in it.
OTHER_ON_THE_HOST = {"uname": "another system", "/etc/passwd": "users", "id -un": "users"}

MANIFEST = """
name = "pykern"
volume = "CASES"
profile = "pykern"
kernel = "pykern.elf"
timeout = 0

[initrd]
path = "/boot/initrd.cpio"
programs = ["*"]

[[initrd.files]]
path = "/sbin/init"
link = "../bin/init"

[[initrd.files]]
path = "/cases/script"
source = "script"
{files}
[[entries]]
name = "pykern"
modules = ["initrd"]
"""
FILE = """
[[initrd.files]]
path = "/cases/files/{name}"
source = "files/{name}"
"""


# What Linux has not: twenty round trips are forty messages.
NATIVE = "echo; ipcping -n 20 2>/dev/null; metrics ipc_sends ipc_recvs; echo the end"


def with_input(case):
    """Return a case as one line, its standard input with it."""
    return f"echo '{case.stdin}' | {{ {case.command}; }}" if case.stdin else case.command


def commands():
    """Return all that is run on both sides."""
    everything = [
        *map(with_input, cases()),
        *SCRIPTS,
        *(f"{{ fault {name}; echo $?; }} 2>/dev/null" for name in FAULTS),
        *("forkbomb 12", "memhog 3", "spin 1", "pingpong -n 20 2>/dev/null", "fault efault"),
        *LIBRARY,
    ]
    return [text for text in everything if not any(word in text for word in OTHER_ON_THE_HOST)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the script and the files of the cases."""
    folder = tmp_path_factory.mktemp("cases")
    (folder / "files").mkdir()
    write_files(folder / "files")
    (folder / "script").write_text(script(commands()), encoding="utf-8")
    files = "".join(FILE.format(name=name) for name in FILES)
    (folder / "cases.toml").write_text(MANIFEST.format(files=files), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def all_in_bin(programs, tmp_path_factory):
    """Return the path of every program by its last name, those of the tests included."""
    folder = tmp_path_factory.mktemp("bin")
    paths = {name.removeprefix("tests/"): path for name, path in programs.items()}
    for name, path in paths.items():
        if "/" not in name:
            (folder / name).symlink_to(path)
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def on_host(folder, all_in_bin):
    place = next(iter(all_in_bin.values())).parent
    work = folder / "work"
    work.mkdir()
    command = [all_in_bin["sh"], folder / "script", folder / "files"]
    done = subprocess.run(
        command, capture_output=True, cwd=work, env={"PATH": str(place)}, check=True
    )
    return results(done.stdout.decode("latin-1"))


@pytest.fixture(scope="module")
def typed(folder, all_in_bin):
    """Return what came of a boot in which the script, and then `NATIVE`, were typed."""
    pykern = [sys.executable, "-m", "pykern"]
    named = [word for name, path in all_in_bin.items() for word in ("--program", f"{name}={path}")]
    image = folder / "cases.iso"
    subprocess.run(
        [*pykern, "image", "build", folder / "cases.toml", "-o", image, *named], check=True
    )
    typed = "mkdir /tmp /etc; cd /tmp; mv /cases .; sh cases/script /tmp/cases/files\n"
    done = subprocess.run(
        [*pykern, "boot", image, "--smp", "2"], input=f"{typed}{NATIVE}\npoweroff\n".encode(),
        capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout.decode("latin-1")


@pytest.fixture(scope="module")
def in_machine(typed):
    return results(typed)


def test_every_case_ran_on_both_sides(on_host, in_machine):
    assert len(on_host) == len(in_machine) == len(commands())


@pytest.mark.parametrize("number", range(len(commands())), ids=lambda n: commands()[n][:60])
def test_a_case_is_the_same_in_the_machine(number, on_host, in_machine):
    assert in_machine[number] == on_host[number]


def test_what_linux_has_not(typed):
    """MEL-16: the counters say what was done."""
    assert "\n20 round trips\n40\n40\nthe end\n" in typed.replace("\r", "")
