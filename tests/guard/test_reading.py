"""The reader of an answer that is being written: what it finds, when, and that it stays linear."""

from __future__ import annotations

import time

import pytest

from ghostbust.guard.reading import WINDOW, Asked, Guard
from ghostbust.records import Ecosystem, RefKind
from ghostbust.registries.judge import Mode, default_judge

CODE = Asked("Write it.")
LIST = Asked("Which packages help?", expects_list=True, ecosystem=Ecosystem.PYPI)
INVENTED = "zq-no-such-package-7"
MODULE = "zq_no_such_package_7"


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(default_judge(Mode.SNAPSHOT))


def found_at(guard: Guard, asked: Asked, text: str) -> tuple[int, str] | None:
    """After how many characters an invention is found in a growing text, and which."""
    reading = guard.read(asked)
    for count in range(1, len(text) + 1):
        if one := reading.first(text[:count], ended=count == len(text)):
            assert text[one.ref.start : one.ref.end] == one.ref.raw
            return count, one.ref.raw
    return None


@pytest.mark.parametrize(
    ("asked", "text", "raw"),
    [
        (CODE, f"```bash\npip install requests {INVENTED}\nls\n```\n", INVENTED),
        (CODE, f"```python\nimport os\nimport {MODULE}\nprint(1)\n", MODULE),
        (CODE, f"Run `uv add {INVENTED}` first.\nThen go.\n", INVENTED),
        (CODE, f"```requirements.txt\nrequests\n{INVENTED}\nnumpy\n```\n", INVENTED),
        (CODE, f"```toml\n[project]\ndependencies = [\n  '{INVENTED}',\n]\n```\n", INVENTED),
        (LIST, f"- requests\n- {INVENTED}\n- numpy\n", INVENTED),
        (LIST, f"1. `{INVENTED}`: reads\n2. numpy\n", INVENTED),
    ],
)
def test_an_invention_is_found_when_its_line_ends(
    guard: Guard, asked: Asked, text: str, raw: str
) -> None:
    line_end = text.index("\n", text.index(raw)) + 1
    assert found_at(guard, asked, text) == (line_end, raw)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (CODE, "```python\nimport requests\nfrom PIL import Image\nimport os.path\n```\n"),
        (CODE, f"```python\nzq = '{INVENTED}'\nx = {MODULE}.run()\n```\n"),
        (CODE, f"It is not called {INVENTED}, I think.\n- {INVENTED} stands for nothing.\n"),
        (Asked(f"Use {INVENTED}."), f"pip install {INVENTED}\n"),
        (Asked(f"Use {INVENTED}."), f"pip install {INVENTED.replace('-', '_').title()}\n"),
        (Asked("What is in my zzqx tool box?"), "```python\nimport zzqx_tool_box\n```\n"),
        (CODE, "go get example.invalid/x\n"),
        (CODE, ""),
    ],
)
def test_what_is_real_or_no_package_or_the_prompts_is_let_through(
    guard: Guard, asked: Asked, text: str
) -> None:
    assert found_at(guard, asked, text) is None


@pytest.mark.parametrize("prompt", ["Use my zzqx tool.", "Use zzqx-tool-box.", "Use a-zzqx-tool."])
def test_words_of_the_prompt_are_no_name_that_is_installed(guard: Guard, prompt: str) -> None:
    assert found_at(guard, Asked(prompt), "pip install zzqx-tool\n") == (22, "zzqx-tool")


def test_a_line_that_isnt_whole_is_read_where_that_is_asked(guard: Guard) -> None:
    reading = guard.read(LIST)
    text = f"- requests\n- `{INVENTED}`"
    assert reading.first(text) is None
    found = reading.first(text, in_line=True)
    assert found is not None
    assert found.ref.raw == INVENTED
    assert reading.first(text[: found.ref.start] + "numpy`", in_line=True) is None


def test_what_is_let_through_hides_nothing_behind_it(guard: Guard) -> None:
    reading = guard.read(CODE)
    text = f"pip install {INVENTED}\npip install {INVENTED}-2\n"
    first = reading.first(text)
    assert first is not None
    reading.let_through(first.ref.end)
    second = reading.first(text)
    assert second is not None
    assert second.ref.raw == f"{INVENTED}-2"
    reading.let_through(second.ref.end)
    assert reading.first(text, ended=True) is None


def test_a_long_fence_is_still_known_at_its_end(guard: Guard) -> None:
    body = "x = compute(1)\n" * (3 * WINDOW // 15)
    text = f"```python\n{body}import {MODULE}\n"
    reading = guard.read(CODE)
    for count in range(0, len(text), 1_000):
        assert reading.first(text[:count]) is None
    found = reading.first(text)
    assert found is not None
    assert (found.ref.raw, found.ref.kind) == (MODULE, RefKind.IMPORT)


@pytest.mark.parametrize(
    "piece",
    [
        f"pip install {INVENTED[:9]}",
        "a-",
        "- `x",
        "```\n```python\nimport os\n",
        "import a,\u200bb\u0430\n",
        "pip install requests ",
        "- a b c d\n",
    ],
)
def test_reading_takes_time_in_proportion_to_the_length(guard: Guard, piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        reading = guard.read(LIST)
        started = time.process_time()
        for count in range(0, len(text) + 1, 400):
            if one := reading.first(text[:count]):
                reading.let_through(one.ref.end)
        return time.process_time() - started

    seconds(4_000)
    long = seconds(80_000)
    assert long < 1 or long < 4 * 1.6 * max(seconds(20_000), seconds(20_000))


def test_a_guard_asks_no_network() -> None:
    with default_judge(Mode.AUTO, late=True) as judge, pytest.raises(ValueError, match="snapshot"):
        Guard(judge)
