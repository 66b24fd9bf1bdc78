from pykern.kernel.core.units import GIB, KIB, MIB, PAGE_SIZE, page_down, page_up


def test_rounding_to_pages():
    assert [page_down(n) for n in (0, 1, PAGE_SIZE - 1, PAGE_SIZE)] == [0, 0, 0, PAGE_SIZE]
    assert [page_up(n) for n in (0, 1, PAGE_SIZE, PAGE_SIZE + 1)] == [
        0,
        PAGE_SIZE,
        PAGE_SIZE,
        2 * PAGE_SIZE,
    ]
    assert page_up((1 << 64) - 1) == 1 << 64
    assert (MIB, GIB) == (KIB * KIB, KIB * MIB)
