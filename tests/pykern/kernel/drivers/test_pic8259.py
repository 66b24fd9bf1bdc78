"""The 8259s of the board, put out of the way."""

from pykern.kernel.drivers import pic8259
from pykern.machine.computer import Computer, MachineConfig
from pykern_c import Machine


def test_every_line_is_masked_and_no_exception_can_be_mistaken_for_one():
    """MEL-39: 0x20 to 0x2F."""
    computer = Computer(MachineConfig(memory=4 << 20), Machine)
    vcpu = computer.machine.vcpus[0]
    pic8259.disable(vcpu, 0x20)
    assert [vcpu.port_read(port, 1) for port in (0x21, 0xA1)] == [0xFF, 0xFF]
    computer.board.pit.reset()
    vcpu.port_write(0x21, 1, 0xFE)
    saved = computer.board.pic.save()
    assert "32" in repr(saved) or "0x20" in repr(saved), "the base of the vectors"
