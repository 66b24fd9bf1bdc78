from pykern.kernel.core.memory import read_u64, write_u64
from pykern_c.machine import Machine


def test_numbers_are_little_endian():
    machine = Machine(1 << 20)
    write_u64(machine, 0x1000, 0x0123_4567_89AB_CDEF)
    assert machine.read(0x1000, 8) == bytes.fromhex("efcdab8967452301")
    assert read_u64(machine, 0x1000) == 0x0123_4567_89AB_CDEF
