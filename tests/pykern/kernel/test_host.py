"""Hostcalls of an image, and of code that is none."""

from __future__ import annotations

from pykern.exit_status import ExitStatus
from pykern.kernel.host import KernelHost
from pykern.kernel.traps import Traps
from pykern.kernel.x86 import layout
from pykern_c.exits import ExitReason
from tests.guest import long_mode_machine
from tests.pykern.kernel import hosted


def test_an_out_of_foreign_code_changes_nothing():
    machine = long_mode_machine(f"mov eax, 7\nout {layout.HOSTCALL_PORT}, eax\ncli\nhlt")
    host = KernelHost(machine)
    exit_ = machine.run(until_ns=1_000_000)
    assert exit_.reason is ExitReason.HOSTCALL
    host.hostcall(exit_)
    machine.run(until_ns=2_000_000)
    assert machine.vcpus[0].read_register("rax") == 7
    assert machine.vcpus[0].activity == "halted"
    assert host.kernel.image is None


def test_after_a_reset_there_is_a_new_kernel(kernel_image):
    system = hosted.idle_system(kernel_image)
    before = system.host.kernel
    system.host.reset()
    assert system.host.kernel is not before
    assert system.host.kernel.image is None


def test_what_hosted_code_raises_is_the_kernels_panic(kernel_image, monkeypatch):
    """MEL-32."""

    def broken(_self, _cpu, _frame):
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(Traps, "do_irq", broken)
    broken.__hostcall__ = True
    files = {"/sbin/init": hosted.compiled("waiting.c").read_bytes()}
    system = hosted.make(kernel_image, files=files, cpus=2).run()
    assert system.outcome.status == ExitStatus.PANIC
    assert "ZeroDivisionError in hosted code: on purpose" in system.log
