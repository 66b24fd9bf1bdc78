"""SCA-24: who may use a port."""

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.ipc.capabilities import KERNEL, CapabilityTable, OpenPorts, Right

PORT, OWNER, OTHER, THIRD = 3, 10, 11, 12


@pytest.fixture
def table():
    made = CapabilityTable()
    made.grant(KERNEL, OWNER, PORT, Right.everything())
    return made


def refused(call, *arguments):
    with pytest.raises(SysError) as error:
        call(*arguments)
    return error.value.errno is Errno.EPERM


def test_who_has_no_capability_is_refused(table):
    assert refused(table.require, OTHER, PORT, Right.SEND)
    assert refused(table.require, OWNER, PORT + 1, Right.SEND)
    table.require(OWNER, PORT, Right.SEND | Right.RECEIVE)
    table.require(KERNEL, PORT, Right.everything())


def test_a_right_is_given_by_who_has_it_and_may(table):
    table.grant(OWNER, OTHER, PORT, Right.SEND)
    table.require(OTHER, PORT, Right.SEND)
    assert refused(table.require, OTHER, PORT, Right.RECEIVE)
    assert refused(table.grant, OTHER, THIRD, PORT, Right.SEND)
    table.grant(OWNER, OTHER, PORT, Right.GRANT)
    table.grant(OTHER, THIRD, PORT, Right.SEND)
    assert refused(table.grant, OTHER, THIRD, PORT, Right.RECEIVE)
    assert table.rights(OTHER, PORT) == Right.SEND | Right.GRANT


def test_rights_are_taken_back(table):
    table.revoke(OWNER, PORT, Right.RECEIVE)
    assert table.rights(OWNER, PORT) == Right.SEND | Right.GRANT
    table.revoke(OWNER, PORT, Right.everything())
    assert refused(table.require, OWNER, PORT, Right.SEND)


def test_a_closed_port_and_an_ended_process_leave_nothing(table):
    table.grant(OWNER, OTHER, PORT, Right.SEND)
    table.forget_holder(OWNER)
    assert refused(table.require, OWNER, PORT, Right.SEND)
    table.require(OTHER, PORT, Right.SEND)
    table.forget_port(PORT)
    assert refused(table.require, OTHER, PORT, Right.SEND)


def test_open_ports_are_everybodys():
    ports = OpenPorts()
    ports.require(OTHER, PORT, Right.everything())
    ports.grant(OTHER, THIRD, PORT, Right.SEND)
    ports.revoke(THIRD, PORT, Right.SEND)
    ports.forget_port(PORT)
    ports.forget_holder(OTHER)
    assert ports.rights(THIRD, PORT) == Right.everything()
