"""`python -m pykern profiles`."""

import pytest

from pykern.cli import main
from pykern.exit_status import ExitStatus
from pykern.kernel.profiles import PROFILES


def test_each_has_a_line(capsys):
    assert main(["profiles"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["profile", "scheduler", "heap"]
    assert [line.split()[0] for line in lines] == list(PROFILES.names())
    assert "scarlett     priority128  first-fit 16-256 MB" in "\n".join(lines)


@pytest.mark.parametrize("name", PROFILES.names())
def test_one_shows_all_it_chooses(name, capsys):
    assert main(["profiles", name]) == 0
    shown = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    profile = PROFILES.get(name)
    assert shown["policy"] == profile.policy
    assert int(shown["layout.heap"], 16) == profile.layout.heap
    assert int(shown["ports.message_size"]) == profile.ports.message_size


def test_an_unknown_one_is_an_error_that_lists_those_there_are(capsys):
    assert main(["profiles", "nope"]) == ExitStatus.USAGE
    assert "pykern: no profile 'nope'; registered: pykern, mellos" in capsys.readouterr().err
