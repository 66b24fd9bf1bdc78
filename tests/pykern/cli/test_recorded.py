"""How a machine was started, as a recording has it: options, files, and contradictions."""

from __future__ import annotations

import pytest

from pykern.cli import arguments, recorded
from pykern.cli.errors import UsageError
from pykern.config import Resolution
from pykern.debug.history.position import Position
from pykern.debug.history.recording import Recording

WORDS = (
    *("--smp", "3", "-m", "96M", "--seed", "0x10", "--append", "-v init=/x", "--no-reboot"),
    *("--framebuffer", "none", "--initrd", "MODULE", "--initrd", "MODULE with words"),
)


@pytest.fixture
def written(tmp_path):
    """Return what writes a recording of a machine that is started with arguments; and its path."""
    image, module, path = (tmp_path / name for name in ("image", "module", "state.json"))
    image.write_bytes(b"an image")
    module.write_bytes(b"a module")

    def write(*words, **more):
        words = [word.replace("MODULE", str(module)) for word in words]
        machine = recorded.describe(arguments.parse(["boot", *words, str(image)]))
        machine["options"].update(more)
        path.write_bytes(Recording(machine, (), Position((1,), 10**9), "0" * 64, "1").encode())
        return path

    return write


def loaded(path, *words):
    args = arguments.parse(["boot", "--load", str(path), *words])
    return recorded.load(args), args


def test_the_machine_is_the_one_that_was(written):
    path = written(*WORDS)
    recording, args = loaded(path)
    assert (args.smp, args.memory, args.seed, args.no_reboot) == (3, 96 << 20, 16, True)
    assert (args.append, args.framebuffer) == ("-v init=/x", None)
    assert str(args.image).endswith("image")
    assert recorded.describe(args) == recording.machine
    recorded.check_files(recording, recorded.describe(args), path)
    _, args = loaded(written("--framebuffer", "640x480"), "--history", "2G")
    assert args.framebuffer == Resolution(640, 480)
    assert args.smp is None
    assert args.history == 2 << 30


def test_a_disk_that_has_changed(written, tmp_path):
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(512))
    path = written("--disk", str(disk))
    recording, args = loaded(path)
    assert args.disk == [disk]
    recorded.check_files(recording, recorded.describe(args), path)
    disk.write_bytes(b"1" * 512)
    with pytest.raises(UsageError, match=r"disk has changed: 512 bytes"):
        recorded.check_files(recording, recorded.describe(args), path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seed", "5"), "--seed was 16, and is 5 now"),
        (("--framebuffer", "64x64"), "--framebuffer was none, and is 64x64 now"),
        (("--cpu", "v1"), "--cpu was not given, and is v1 now"),
        (("--timeout", "1"), "--timeout is not behind 1000000000 ns"),
    ],
)
def test_options_that_contradict(written, words, said):
    path = written(*WORDS)
    with pytest.raises(UsageError, match=said):
        loaded(path, *words)


def test_a_file_that_has_changed(written, tmp_path):
    path = written(*WORDS)
    recording, args = loaded(path)
    (tmp_path / "module").write_bytes(b"A module")
    with pytest.raises(UsageError, match=r"module has changed: 8 bytes, .*, expected 8"):
        recorded.check_files(recording, recorded.describe(args), path)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"seed": "many"}, "not understood: .*--seed"),
        ({"write_back": ""}, "an option 'write_back'"),
        ({"smp": "400"}, "not understood"),
    ],
)
def test_options_that_are_none(written, more, said):
    """A file can choose a machine, and nothing that writes to the host."""
    with pytest.raises(UsageError, match=said):
        loaded(written(**more))


def test_no_file(tmp_path):
    path = tmp_path / "none"
    path.write_text("{}")
    with pytest.raises(UsageError, match=f"--load {path}: it is JSON without"):
        loaded(path)
