"""What every test shares: repeatable random tests, and a kernel that nobody here wrote."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

from tests.debian import Kernel, UnavailableError, fetch_kernel

# No deadline, because no test looks at the host clock; derandomised, because the same tree must
# give the same result on every host.
settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("long", settings.get_profile("repeatable"), max_examples=20_000)
settings.load_profile("repeatable")


# Whoever runs the tests in the background (nohup, a service) may have these ignored or blocked, and
# programs would inherit that: a host that is compared with would behave as no terminal has it.
# SIGPIPE and SIGXFSZ are ignored by Python itself, which resets them for its children.
for _ignored in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
    if signal.getsignal(_ignored) == signal.SIG_IGN:
        signal.signal(_ignored, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.pthread_sigmask(signal.SIG_SETMASK, ())


@pytest.fixture(scope="session")
def debian_kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    """Debian's kernel, downloaded once for all tests that need it."""
    try:
        return fetch_kernel(tmp_path_factory.mktemp("debian-kernel"))
    except UnavailableError as error:
        pytest.skip(f"no Debian kernel: {error}")
