"""From decorated Python functions to C."""

import pytest

from pykern.kernel.x86 import layout
from pykern.kernel.x86.image import thunks

SOURCE = '''
@hostcall
def beta(self, cpu, frame):
    """Do."""


class Other:
    @syscall
    async def alpha_(thread, fd: Fd, buf: UserPtr):
        """Do."""

    @property
    def not_hosted(self):
        """Do not."""
'''


@pytest.fixture
def found(tmp_path):
    (tmp_path / "pykern").mkdir()
    (tmp_path / "pykern" / "one.py").write_text(SOURCE)
    return thunks.find(tmp_path, tmp_path.rglob("*.py"))


def test_functions_are_found_by_their_decorators_in_the_order_of_symbols(found):
    assert found == [
        thunks.HostedFunction("beta", ("frame",), "pykern/one.py", 3),
        thunks.HostedFunction("sys_alpha", ("fd", "buf"), "pykern/one.py", 9),
    ]


def test_a_thunk_asks_the_host_by_number_and_names_its_source(found):
    text = thunks.c_source(found, {"table": {2: "sys_alpha"}})
    assert '#line 3 "pykern/one.py"\n__attribute__((naked)) long beta(long frame)' in text
    assert f"movl $2, %eax\\n\\tout %eax, ${layout.HOSTCALL_PORT}" in text
    assert "void *const table[3]" in text
    assert "[2] = (void *)sys_alpha" in text
    assert "table_size = 3" in text
    assert 'hostcall_names[] = "beta\\0sys_alpha\\0"' in text


def test_only_exceptions_that_have_handlers_are_in_the_table():
    handler = thunks.HostedFunction("do_page_fault", (), "x.py", 1)
    text = thunks.c_source([handler], {})
    assert "[14] = (void *)do_page_fault" in text
    assert "do_double_fault" not in text


def test_two_of_one_symbol_are_refused_with_both_places(tmp_path):
    (tmp_path / "a.py").write_text("@hostcall\ndef same(self): ...\n")
    (tmp_path / "b.py").write_text("\n@hostcall\ndef same(self): ...\n")
    with pytest.raises(ValueError, match=r"b\.py:3: same is hosted already at a\.py:2"):
        thunks.find(tmp_path, tmp_path.glob("*.py"))


def test_more_parameters_than_registers_are_refused(tmp_path):
    (tmp_path / "a.py").write_text("@syscall\ndef many(thread, a, b, c, d, e, f, g): ...\n")
    with pytest.raises(ValueError, match="sys_many has 7 parameters"):
        thunks.find(tmp_path, tmp_path.glob("*.py"))
