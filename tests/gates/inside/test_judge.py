from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ghostbust.gates.confinement import BARE, ENVIRONMENT, INTERPRETER, LAUNCHER
from ghostbust.gates.sandbox import Program, SandboxLimits, _write_job, bundle

ENDED = "failed ended before its check, with status"
STOPPED = "failed stopped answering its check"
LIMITS = SandboxLimits(processes=100_000)


def _judge(folder: Path, solution: str, check: str, *tested: str) -> str:
    """What the judge reports of a program; its token is t0ken."""
    with (folder / "job").open("w+b") as job:
        _write_job(job, Program(solution, check, tested), LIMITS, BARE, "t0ken")
        done = subprocess.run(
            [*INTERPRETER, str(LAUNCHER)],
            stdin=job,
            capture_output=True,
            env=ENVIRONMENT,
            cwd=folder,
            check=False,
        )
    assert done.stderr == b""
    return done.stdout.decode()


CALLS = {
    "by a name": ("def f(x, *, y=0): return x + y\n", "assert f(1, y=2) == 3\n"),
    "as an argument": (
        "def f(): return 1\n",
        "def check(candidate):\n    assert candidate() == 1\ncheck(f)\n",
    ),
    "a plain value": ("x = {'a': [1, (2, 3)]}\n", "assert x == {'a': [1, (2, 3)]}\n"),
    "a module the program imported": ("import math\n", "assert math.floor(1.5) == 1\n"),
    "an iterator": ("def f(): return (n for n in (1, 2))\n", "assert list(f()) == [1, 2]\n"),
    "a type as an argument": ("def f(x, y): return type(x) is y\n", "assert f(1, int) is True\n"),
    "a class and its attributes": (
        "class Node:\n    def __init__(self, n): self.n, self.next = n, None\n"
        "    def last(self): return self.next.last() if self.next else self.n\n",
        "one = Node(1)\none.next = Node(2)\none.next.next = Node(3)\n"
        "assert one.last() == 3 and one.next.n == 2 and one.next is one.next\n",
    ),
    "an exception": (
        "def f(): raise ValueError('no')\n",
        "try:\n    f()\nexcept ValueError as error:\n    assert str(error) == 'no'\n"
        "else:\n    assert False\n",
    ),
    "a dataclass": (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass P:\n    x: int\ndef f(): return P(1) == P(1)\n",
        "assert f()\n",
    ),
    "not under the launcher's future imports": (
        "def g(x: int) -> int: return x\ndef f(): return g.__annotations__['x'] is int\n",
        "assert f()\n",
    ),
    "its own builtin, not used": ("def len(x): return 7\n", "assert len([]) == 0\n"),
    "and goes on after an exit": (
        "def f(x):\n    if x: raise SystemExit\n    return 1\n",
        "try:\n    f(1)\nexcept Exception:\n    pass\nassert f(0) == 1\n",
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_reports_the_token_if_the_check_returns(tmp_path: Path, case: str) -> None:
    assert _judge(tmp_path, *CALLS[case]) == "t0ken"


def test_a_tested_function_may_have_a_builtins_name(tmp_path: Path) -> None:
    solution, check = "def sum(a, b): return a + b\n", "assert sum(10, 15) == 25\n"
    assert _judge(tmp_path, solution, check, "sum") == "t0ken"
    assert _judge(tmp_path, solution, check) == "failed TypeError"


@pytest.mark.parametrize(
    ("solution", "check", "report"),
    [
        ("x = 1\n", "assert x == 2\n", "failed AssertionError"),
        ("def f(:\n", "", "failed SyntaxError"),
        ("", "assert f() == 1\n", "failed NameError"),
        ("", "def f(:\n", "failed SyntaxError"),
        ("raise SystemExit(0)\n", "", "failed SystemExit"),
        ("class Odd(Exception): pass\nraise Odd\n", "", "failed Odd"),
        ("raise UnicodeDecodeError('a', b'', 0, 1, 'b')\n", "", "failed UnicodeDecodeError"),
        ("open('/x/y', 'w')\n", "", "denied PermissionError"),
        ("x = bytearray(4 << 30)\n", "", "memory MemoryError"),
        ("import os\nos._exit(3)\n", "", f"{ENDED} 3"),
        ("import ctypes\nctypes.string_at(1)\n", "", f"{ENDED} -11"),
        ("import os\nos.closerange(0, 99)\nwhile True: pass\n", "", STOPPED),
    ],
)  # fmt: skip
def test_reports_what_ended_it_otherwise(
    tmp_path: Path, solution: str, check: str, report: str
) -> None:
    assert _judge(tmp_path, solution, check) == report


@pytest.mark.parametrize("catches", ["except Exception", "except BaseException", "except"])
@pytest.mark.parametrize(
    ("solution", "report"),
    [
        ("import os\ndef f(): os._exit(3)\n", f"{ENDED} 3"),
        ("import os\ndef f():\n    os.closerange(0, 99)\n    while True: pass\n", STOPPED),
        ("import os\ndef f(): os.write(4, b'\\1' + b'\\0' * 7 + b'x')\n", "failed WireError"),
    ],
)
def test_a_check_that_catches_everything_does_not_catch_the_end(
    tmp_path: Path, solution: str, report: str, catches: str
) -> None:
    check = f"try:\n    f()\n{catches}:\n    pass\n"
    assert _judge(tmp_path, solution, check) == report
    again = check + check.replace("f()", "f()\n    assert False")
    assert _judge(tmp_path, solution, again) == report


def test_a_program_that_ends_behind_its_answers_does_not_pass(tmp_path: Path) -> None:
    solution = (
        "import os, signal\ndef f():\n"
        "    signal.signal(signal.SIGALRM, lambda *_: os._exit(3))\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.001)\n    return 1\n"
    )
    check = "import time\nassert f() == 1\ntime.sleep(0.5)\n"
    assert _judge(tmp_path, solution, check) == f"{ENDED} 3"


def test_the_job_is_empty_before_the_program_starts(tmp_path: Path) -> None:
    """Else whoever could open a descriptor of any process that has it would read the check."""
    solution = f"x = open({str(tmp_path / 'job')!r}, 'rb').read()\n"
    assert _judge(tmp_path, solution, "assert x == b''\n") == "t0ken"


def test_a_module_of_the_program_does_not_answer_for_pythons(tmp_path: Path) -> None:
    solution = (
        "class math:\n    @staticmethod\n    def isclose(a, b): return True\n"
        "one = math()\nmath = one\ndef f(): return 2\n"
    )
    assert _judge(tmp_path, solution, "assert math.isclose(f(), 1)\n") == "failed AssertionError"


def test_a_function_as_an_argument_is_no_plain_data(tmp_path: Path) -> None:
    check = "assert f(lambda: 1) == 1\n"
    assert _judge(tmp_path, "def f(g): return g()\n", check) == "failed WireError"


def test_what_the_program_does_to_an_argument_stays_with_the_program(tmp_path: Path) -> None:
    check = "given = [2, 1]\nassert f(given) is None and given == [2, 1]\n"
    assert _judge(tmp_path, "def f(x): x.sort()\n", check) == "t0ken"


def test_the_modules_of_the_judge_are_not_the_programs(tmp_path: Path) -> None:
    solution = "import sys\nx = [name for name in sys.modules if 'ghostbust' in name]\n"
    assert _judge(tmp_path, solution, "assert x == []\n") == "t0ken"


def test_what_is_sent_is_the_modules_and_nothing_of_this_machine() -> None:
    assert str(Path(__file__).parents[3]).encode() not in bundle()
