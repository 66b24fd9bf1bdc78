"""`pykern report` as people type it."""

import json
import sys

import pytest
from PIL import Image

import pykern.report
from pykern.cli import main
from pykern.exit_status import ExitStatus
from tests import booting
from tests.pykern.report.data.test_files import METRICS, PAGES
from tests.pykern.report.data.test_timeline import EVENTS


@pytest.fixture
def run(tmp_path, capsys):
    """Return what runs the command in a folder with the files of a run."""
    used = {**PAGES, "page_trace": [{"pid": 1, "name": "a", "pages": [*range(9)] * 3}]}
    for name, value in (("t", EVENTS), ("m", METRICS), ("p", PAGES), ("p2", used)):
        (tmp_path / f"{name}.json").write_text(json.dumps(value))

    def report(*words):
        status = main(
            ["report", *(str(tmp_path / word) if "." in word else word for word in words)]
        )
        return status, capsys.readouterr()

    return report


def test_other_formats_are_not_folders(run, tmp_path):
    status, out = run("t.json", "-o", "x.svg")
    assert status == ExitStatus.USAGE
    assert "x.svg: expected FILE.html, FILE.png or a folder" in out.err
    assert not (tmp_path / "x.svg").exists()


def test_a_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out = run("t.json", "m.json", "-o", "out")
    assert status == 0
    written = out.out.split()
    assert written == [
        f"out/{n}" for n in ("index.html", "schedule.png", "memory.png", "numa.png", "numa-2.png")
    ]
    for name in written[1:]:
        with Image.open(tmp_path / name) as image:
            assert image.format == "PNG"
    page = (tmp_path / "out" / "index.html").read_text()
    for title in (
        "Schedule: t.json",
        "Memory by owner: t.json",
        "NUMA traffic: m.json",
        "Counters: m.json",
    ):
        assert f"<h2>{title}</h2>" in page


def test_one_page_or_one_picture(run, tmp_path):
    assert run("p2.json", "-o", "all.html")[0] == run("m.json", "-o", "all.png")[0] == 0
    assert (tmp_path / "all.html").read_text().count("data:image/png") == 1
    with Image.open(tmp_path / "all.png") as image:
        assert image.format == "PNG"


def test_the_same_files_give_the_same_report(run, tmp_path):
    run("m.json", "-o", "a.html")
    run("m.json", "-o", "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "x.json: empty, expected JSON"),
        (b"\xff", "x.json: byte 0 is no UTF-8"),
        (b"[]", "x.json: no event of a processor"),
        (b"3", "x.json: neither timeline, metrics nor page trace"),
        (json.dumps(PAGES).encode(), "nothing to draw"),
    ],
)
def test_what_cannot_be_drawn_is_told(run, tmp_path, data, said):
    (tmp_path / "x.json").write_bytes(data)
    status, out = run("x.json", "-o", "out.html")
    assert status == ExitStatus.USAGE
    assert out.err.startswith(f"pykern: {said}")
    assert not (tmp_path / "out.html").exists()


def test_files_that_are_not_there(run):
    status, out = run("no.json")
    assert (status, "no.json: No such file" in out.err) == (ExitStatus.USAGE, True)
    status, out = run("m.json", "-o", "p.json/x.html")
    assert (status, "x.html: Not a directory" in out.err) == (ExitStatus.USAGE, True)


def test_numbers_alone_are_no_picture(run, tmp_path):
    (tmp_path / "one.json").write_text(
        json.dumps({**METRICS, "numa": {"nodes": [0], "distances": [], "frames": [[1]]}})
    )
    status, out = run("one.json", "-o", "x.png")
    assert (status, "nothing to draw" in out.err) == (ExitStatus.USAGE, True)


def test_without_matplotlib_it_says_what_to_install(run, monkeypatch):
    for name in [*sys.modules]:
        if name.startswith(("pykern.report.drawing", "pykern.report.pictures")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(pykern.report, "pictures", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out = run("t.json")
    assert status == ExitStatus.USAGE
    assert "pip install 'pykern[report]'" in out.err


@pytest.mark.slow
def test_from_boot_to_report(tmp_path, capfd):
    """Issue 5: a run leaves its files by options of boot, and report draws them."""
    image = tmp_path / "r.iso"
    image.write_bytes(booting.image("rmp"))
    left = {name: str(tmp_path / f"{name}.json") for name in ("timeline", "metrics", "page-trace")}
    options = [word for name, path in left.items() for word in (f"--{name}", path)]
    machine = ["-m", "64M", "--smp", "2", "--numa", "2", "--serial", "null"]
    assert main(["boot", str(image), *machine, *options]) == 0
    out = tmp_path / "report.html"
    assert main(["report", *left.values(), "-o", str(out)]) == 0
    page = out.read_text()
    for title in ("Schedule", "Memory by owner", "NUMA traffic", "Counters"):
        assert f"<h2>{title}: " in page
    capfd.readouterr()
    refused = main(["boot", str(image), "--gdb", ":0", "--page-trace", left["page-trace"]])
    assert refused == ExitStatus.USAGE
    assert "--page-trace with a debugger" in capfd.readouterr().err
