"""The loader's C finds the same files on an ISO 9660 image as our Python does."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from images import iso_writer
from images.boot import loader
from pykern.machine.media import EntryKind, IsoImage
from tests.isos import damaged, make_iso, make_tree

GUESTS = Path(__file__).parent / "guests"
_NO_BUFFER = 77


@pytest.fixture(scope="module")
def in_c(tmp_path_factory):
    """Return a function that has disk.c, compiled for the host, look for paths in an image."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    folder = tmp_path_factory.mktemp("host")
    sources = [GUESTS / "host_disk.c", loader.SOURCE / "disk.c"]
    flags = ["-w", "-fno-builtin", "-no-pie", "-fsanitize=address,undefined"]
    flags += ["-fno-sanitize=alignment", "-fno-sanitize-recover=all", f"-I{loader.SOURCE}"]
    subprocess.run(["gcc", "-g", *flags, "-o", folder / "disk", *sources], check=True)

    def find(image: bytes, paths: list[str]) -> dict[str, str]:
        (folder / "image.iso").write_bytes(image)
        done = subprocess.run(
            [folder / "disk", folder / "image.iso", *paths],
            capture_output=True,
            check=False,
            timeout=60,
            env={"ASAN_OPTIONS": "detect_leaks=0"},
        )
        if done.returncode == _NO_BUFFER:
            pytest.skip("the host does not allow a mapping at the loader's buffer")
        assert done.returncode == 0, done.stderr.decode()
        lines = done.stdout.decode().splitlines()
        return dict(line.split("\t") for line in lines if "\t" in line)

    return find


def expected(image: IsoImage) -> dict[str, str]:
    return {
        entry.path: f"{entry.sector} {entry.size}" if entry.kind is EntryKind.FILE else "none"
        for entry in image.entries
        if entry.size or entry.kind is EntryKind.DIRECTORY
    }


def test_images_of_ours(in_c):
    tree = {f"/dir/a file with the number {n}.txt": bytes(n + 1) for n in range(200)}
    tree |= {"/" + "x" * 64: b"1", "/d/e/f/g": b"2", "/ünïcödé ✨": b"3"}
    data = iso_writer.write(tree, "TEST")
    wanted = expected(IsoImage(data))
    assert len(wanted) == 203 + 4
    assert in_c(data, list(wanted)) == wanted


@pytest.mark.parametrize("tool", ["xorriso", "genisoimage"])
@pytest.mark.parametrize("names", [["-R", "-J", "-joliet-long"], ["-R"], ["-D", "-l"]])
def test_images_of_other_tools(in_c, tmp_path, tool, names):
    tree = make_tree(tmp_path / "tree")
    (tree / "boot" / ("long " * 50)).write_bytes(b"its name goes on in a continuation area")
    image = IsoImage(make_iso(tool, tree, *names))
    wanted = {path: where for path, where in expected(image).items() if path.count("/") < 5}
    assert len(wanted) > 8
    assert in_c(image.data, list(wanted)) == wanted


def test_what_is_not_there_or_no_file(in_c):
    data = iso_writer.write({"/a/b": b"x", "/c": b"y"}, "TEST")
    paths = ["/", "", "/a", "/a/", "/a/c", "/c/d", "/A/B", "/a/b/", "//a//b"]
    sector = IsoImage(data).find("/a/b").sector
    assert in_c(data, paths) == {
        **dict.fromkeys(paths, "none"),
        "//a//b": f"{sector} 1",
        "/a/b/": f"{sector} 1",
    }


def test_plain_names_are_found_in_any_case(in_c, tmp_path):
    image = IsoImage(make_iso("genisoimage", make_tree(tmp_path / "tree"), "-D", "-l"))
    path = "/boot/limine/limine.conf"
    assert in_c(image.data, [path])[path] == f"{image.find(path).sector} {image.find(path).size}"


def test_damaged_images_break_no_memory(in_c, tmp_path):
    data = make_iso("xorriso", make_tree(tmp_path / "tree"), "-R").read_bytes()
    rng = random.Random(8)
    paths = list(expected(IsoImage(data)))
    for _ in range(60):
        in_c(damaged(data, rng), paths)
