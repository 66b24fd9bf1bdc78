from pykern.kernel.abi import linux_x86_64, native


def test_numbers_do_not_meet_those_of_linux():
    assert min(call.number for call in native.CALLS) == native.FIRST
    assert max(call.number for call in linux_x86_64.CALLS) < native.FIRST


def test_names_do_not_meet_those_of_linux():
    assert {c.name for c in native.CALLS}.isdisjoint({c.name for c in linux_x86_64.CALLS})
