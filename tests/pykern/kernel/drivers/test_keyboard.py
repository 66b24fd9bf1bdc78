"""The keyboard: keys of the board's PS/2 device become characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.exit_status import ExitStatus
from pykern.kernel.drivers.keyboard import Keyboard
from pykern.machine.computer import Computer, MachineConfig
from pykern.machine.devices.scancodes import codes
from pykern_c import Machine
from tests import booting

US = "".join(map(chr, range(0x20, 0x7F))).replace("\x7f", "")


class Typist:
    """A keyboard without a controller: codes of set 1 go straight to the driver."""

    def __init__(self):
        self.resets = 0
        self.driver = Keyboard(lambda: None, self._reset)

    def _reset(self):
        self.resets += 1

    def send(self, *names, down):
        data = b"".join(codes(name, down=down, scan_set=1) for name in names)
        return "".join(self.driver.decode(code) for code in data)

    def press(self, *names):
        """Press keys together, the last one being what counts."""
        typed = self.send(*names, down=True)
        return typed + self.send(*reversed(names), down=False)


@pytest.fixture
def typist():
    return Typist()


@pytest.mark.parametrize(
    ("keys", "typed"),
    [
        (["a"], "a"),
        (["left_shift", "a"], "A"),
        (["right_shift", "1"], "!"),
        (["left_ctrl", "c"], "\x03"),
        (["right_ctrl", "left_bracket"], "\x1b"),
        (["left_ctrl", "space"], "\x00"),
        (["left_alt", "x"], "\x1bx"),
        (["enter"], "\r"),
        (["keypad_enter"], "\r"),
        (["keypad_slash"], "/"),
        (["keypad_7"], "7"),
        (["backspace"], "\x7f"),
        (["tab"], "\t"),
        (["escape"], "\x1b"),
        (["up"], "\x1b[A"),
        (["delete"], "\x1b[3~"),
        (["f1"], "\x1b[[A"),
        (["f12"], "\x1b[24~"),
        (["pause"], ""),
        (["print_screen"], ""),
        (["left_gui"], ""),
    ],
)
def test_keys(typist, keys, typed):
    """MEL-39, MEL-53; terminfo's `linux`."""
    assert typist.press(*keys) == typed
    assert typist.press("a") == "a", "no modifier is left behind"


def test_locks(typist):
    typist.press("caps_lock")
    assert typist.press("a") + typist.press("1") + typist.press("left_shift", "b") == "A1b"
    typist.press("caps_lock")
    assert typist.press("a") == "a"
    typist.press("num_lock")
    assert typist.press("keypad_8") == "\x1b[A"
    typist.press("num_lock")
    assert typist.press("keypad_8") == "8"


def test_one_of_two_shifts_may_be_let_go(typist):
    typist.send("left_shift", "right_shift", down=True)
    typist.send("left_shift", down=False)
    assert typist.send("a", down=True) == "A"
    typist.send("right_shift", down=False)
    assert typist.send("a", down=True) == "a"


def test_ctrl_alt_del_restarts(typist):
    assert typist.press("left_ctrl", "left_alt", "delete") == ""
    assert typist.resets == 1


@given(st.lists(st.integers(0, 255)))
def test_any_codes_do_no_harm(data):
    driver = Keyboard(lambda: None)
    for code in data:
        assert isinstance(driver.decode(code), str)


def test_everything_a_us_keyboard_can_type_arrives():
    """Through the board's keyboard and controller, as its interrupts ask for it."""
    computer = Computer(MachineConfig(memory=4 << 20), Machine)
    vcpu, typed = computer.machine.vcpus[0], bytearray()
    computer.machine.write(0x1000, b"\xeb\xfe")
    vcpu.write_register("cs.base", 0)
    vcpu.write_register("rip", 0x1000)
    driver = Keyboard(lambda: vcpu)
    driver.received = typed.extend
    computer.board.keyboard.type_text(US + "\n")
    for step in range(1, 2000):
        computer.machine.run(until_ns=step * 25_000)
        driver.interrupt()
    assert typed.decode() == US + "\r"


def test_the_console_is_typed_at_and_seen():
    """MEL-53, MYR-24: typed text echoes on the screen, and the shell does what it says."""
    iso = booting.image("pykern")
    booted = booting.boot(iso, keys="echo $((6*7)) APPLES\npoweroff\n")
    lines = booted.screen.splitlines()
    assert "/ # echo $((6*7)) APPLES" in lines
    assert "42 APPLES" in lines
    assert booted.outcome.status == ExitStatus.POWER_OFF
