"""The kernel image, built once, and systems that run it."""

from __future__ import annotations

import shutil
import socket

import pytest

from pykern.kernel.integration.scarlett import ScarlettStory
from pykern.kernel.integration.story import Story
from pykern.kernel.migration import SocketLink
from pykern.kernel.x86.image import build
from tests.pykern.kernel import hosted


@pytest.fixture(scope="session")
def kernel_elf(tmp_path_factory):
    """Return the path of a kernel image that was built from these sources."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc on this host")
    path = tmp_path_factory.mktemp("kernel") / "pykern.elf"
    build.build(path)
    return path


@pytest.fixture(scope="session")
def kernel_image(kernel_elf):
    return kernel_elf.read_bytes()


@pytest.fixture(scope="session")
def system(kernel_image):
    """Return what makes a system: see `hosted.make`."""

    def make(**options):
        return hosted.make(kernel_image, **options)

    return make


@pytest.fixture(scope="session")
def in_kernel(kernel_image):
    """Return what runs one program of `guests/` in pykern, and gives its result."""

    def run(name, *arguments, files=None, flags=(), **options):
        program = hosted.compiled(name, *flags)
        made = hosted.batch(
            kernel_image,
            [[str(program), *arguments]],
            {str(program): program.read_bytes()},
            files or {},
            **options,
        )
        return hosted.results(made.run(), 1)[0]

    return run


@pytest.fixture(scope="session")
def on_both(in_kernel):
    """Return what runs one program on host Linux and in pykern: (host's result, pykern's)."""

    known = {}

    def on_host(program, arguments, files):
        key = (program, arguments)
        if key not in known:
            known[key] = hosted.on_host(program, [str(program), *arguments], files)
        return known[key]

    def run(name, *arguments, files=None, flags=(), **options):
        expected = on_host(hosted.compiled(name, *flags), arguments, files or {})
        return expected, in_kernel(name, *arguments, files=files, flags=flags, **options)

    return run


@pytest.fixture
def run_in_scarlett(system, monkeypatch):
    """Return what runs a coroutine function of the story in a Scarlett kernel's first thread."""

    def run_body(body, *, cpus=1, memory=64 * hosted.MIB, timeout_ns=5_000_000_000):
        async def main(story):
            await body(story)
            story.kernel.power_off()

        monkeypatch.setattr(ScarlettStory, "main", main)
        made = system(
            command_line="profile=scarlett loglevel=info",
            cpus=cpus,
            memory=memory,
            timeout_ns=timeout_ns,
        ).run()
        assert (made.outcome.status, made.outcome.lines) == (0, ()), made.log
        return made

    return run_body


@pytest.fixture
def links():
    """Return both ends of a TCP connection over the host's loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        yield SocketLink(near), SocketLink(far)


@pytest.fixture
def machine(system, monkeypatch):
    """Return what makes a machine whose kernel runs a coroutine function; it has `counting`."""
    bodies = {}

    async def main(story):
        await story.start_first_program()
        await bodies[story.kernel.machine](story.kernel)
        story.kernel.power_off()

    monkeypatch.setattr(Story, "main", main)

    def make(body, **options):
        files = {
            "/sbin/init": hosted.compiled("waiting.c").read_bytes(),
            "/bin/counting": hosted.compiled("counting.c").read_bytes(),
            "/bin/travelling": hosted.compiled("travelling.c").read_bytes(),
            "/bin/threads": hosted.compiled("counting_threads.c").read_bytes(),
            "/tmp/counted": b"",
        }
        made = system(files=files, timeout_ns=20_000_000_000, **options)
        bodies[made.machine] = body
        return made

    return make
