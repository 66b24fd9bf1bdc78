"""Oracles of the instruction tests: one instruction executed on the host CPU or by Unicorn.

An example, with `form` shaped like `encode.Form` and `pykern_run` the implementation under test::

    from .compare import differences, report
    from .generate import cases
    from .host import HostCpu, has_feature, unavailable

    drawn = cases(form, 1000, seed=1)
    expected = HostCpu().run(drawn.code, drawn.start)
    actual = pykern_run(drawn.code, drawn.start)        # an array of state.STATE as well
    found = differences(expected, actual, flags=STATUS_FLAGS & ~undefined)
    assert not found, report(drawn.code, drawn.start, found)

For 16- and 32-bit code, and where `unavailable()` or `has_feature` say no, put
``UnicornCpu(mode)`` in the place of ``HostCpu()`` and draw with ``mode=mode``.
"""
