"""No invented name leaves before it was read, however the answer is cut."""

from __future__ import annotations

import ast
import random
import time
from collections.abc import Callable

import pytest

from ghostbust.guard.filtering import Action, AnswerFilter, Edit
from ghostbust.guard.reading import Asked, Guard
from ghostbust.guard.relay import edited
from ghostbust.registries.judge import Mode, default_judge

ANSWERS = {
    "shell": "Do:\n\n```sh\npip install requests zz-quux-sensorlib\necho done\n```\nThat's all.\n",
    "windows": "```sh\r\npip install zz-quux-sensorlib\r\n```\r\n",
    "continued": "```sh\npip install requests \\\n  zz-quux-sensorlib \\\n  numpy\necho x\n```\n",
    "python": "```python\nimport os\nimport zz_quux_sensorlib as zz\nprint(os)\n```\n",
    "indented": "```python\ndef f():\n    import zz_quux_sensorlib\n\nf()\n```\n",
    "requirements": "```requirements.txt\nrequests\nzz-quux-sensorlib\nnumpy\n```\n",
    "pinned": "```\nrequests==2.32\nzz-quux-sensorlib>=1.0\n```\n",
    "toml": '```toml\n[project]\ndependencies = [\n  "zz-quux-sensorlib>=1",\n]\n```\n',
    "yaml": "```yaml\ndependencies:\n  - pip:\n    - zz-quux-sensorlib\n```\n",
    "docker": "```dockerfile\nFROM python\nRUN pip install zz-quux-sensorlib\n```\n",
    "prose": "You can run it, but first call `pip install zz-quux-sensorlib` once. Ok.\nBye.\n",
    "no fence": "import os\nimport zz_quux_sensorlib\nprint(os)\n",
    "unclosed": "```python\nimport zz_quux_sensorlib",
    "twice": "```sh\npip install zz-quux-a zz-quux-b\npip install zz-quux-c\n```\n",
    "many": "```sh\npip install " + " ".join(f"zz-quux-{n}" for n in range(9)) + "\nls\n```\n",
    "one line": "```sh\npip install " + "flask " * 600 + "zz-quux-sensorlib rich\nls\n```\n",
    "zero width": "```sh\npip install zz-qu\u200bux-sensorlib\n```\n",
    "behind": f"{'Some words more. ' * 20}\n" * 30 + "```\npip install zz-quux-sensorlib\n```\n",
    "long fence": "```python\n" + "x = 1\n" * 4000 + "import zz_quux_sensorlib\ny = 2\n```\n",
}  # fmt: skip
SHORT = 2000
"""characters of an answer that is also read as a whole after each piece"""
HARMLESS = (
    'Two words: nothing here names a package, it\'s prose with `code` and "quotes".\n\n'
    "- an item\n\n```python\nimport requests\nprint('pip')\n```\n\n```sh\npip install numpy\n```\n"
)


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(default_judge(Mode.SNAPSHOT))


def passed(
    guard: Guard,
    text: str,
    action: Action,
    cut: Callable[[], int],
    asked: Asked = Asked(),  # noqa: B008
) -> tuple[str, AnswerFilter]:
    """What leaves of an answer that arrives in pieces, checked at each piece."""
    read = AnswerFilter(guard.read(asked), action, lambda _: ["requests"])
    edits: list[Edit] = []
    at = 0
    while at < len(text) and not read.stopped:
        piece = text[at : at + cut()]
        at += len(piece)
        if read.take(piece):
            before = read.clear
            new = read.check()
            assert all(edit.start >= before for edit in new)  # nothing that left is changed
            edits += new
        if action == "replace" and len(text) < SHORT:
            left = edited(text[: read.clear], [one for one in edits if one.start < read.clear])
            assert guard.inventions(left, asked, truncated=True) == []
    if not read.stopped:
        edits += read.check(ended=True)
    return edited(text[: edits[-1].end] if read.stopped else text, edits), read


CUTS = {
    "by one": lambda: 1,
    "by chance": lambda: random.randint(1, 12),
    "at once": lambda: 1 << 30,
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_replaced_is_gone(guard: Guard, name: str, cut: str) -> None:
    random.seed(name)
    out, read = passed(guard, ANSWERS[name], "replace", CUTS[cut])
    assert read.invented
    assert guard.inventions(out, Asked()) == []
    assert out.count("ghostbust: zz") + out.count("is zz") >= 1
    # All other lines stay as they are.
    kept = [line for line in ANSWERS[name].split("\n") if "zz" not in line and line[-1:] != "\\"]
    assert [line for line in out.split("\n") if line in kept] == kept or name == "continued"


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_annotated_stays(guard: Guard, name: str) -> None:
    text = ANSWERS[name]
    out, read = passed(guard, text, "annotate", CUTS["by chance"])
    found = {one.ref.raw for one in guard.inventions(text, Asked())}
    assert found == {one.ref.raw for one in guard.inventions(out, Asked())}
    assert read.invented == len(found) or name == "many"
    rest = iter(out)
    assert all(char in rest for char in text)  # what was added aside, it is the answer
    assert "near: requests" in out


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_stops_before_the_line(guard: Guard, name: str) -> None:
    out, read = passed(guard, ANSWERS[name], "stop", CUTS["by chance"])
    assert read.stopped
    assert guard.inventions(out, Asked()) == []
    assert out.count("```") % 2 == 0  # the fence around the line is closed


@pytest.mark.parametrize("action", ["annotate", "replace", "stop"])
def test_what_names_nothing_invented_is_left_alone(guard: Guard, action: Action) -> None:
    assert passed(guard, HARMLESS * 6, action, CUTS["by chance"])[0] == HARMLESS * 6


def test_the_note_speaks_the_language_of_its_place(guard: Guard) -> None:
    python, _ = passed(guard, ANSWERS["indented"], "replace", CUTS["at once"])
    ast.parse(python.removeprefix("```python\n").removesuffix("```\n"))
    assert "    pass  # ghostbust: nothing on PyPI is zz_quux_sensorlib" in python
    prose, _ = passed(guard, ANSWERS["prose"], "replace", CUTS["at once"])
    assert prose.startswith("[ghostbust: zz-quux-sensorlib is not on PyPI")
    listed = "- requests\n- zz-quux-sensorlib\n- numpy\n"
    asked = Asked("List Python packages.", expects_list=True)
    items, _ = passed(guard, listed, "replace", CUTS["by one"], asked)
    assert items.splitlines()[1].startswith("[ghostbust: zz-quux-sensorlib is not on PyPI")
    assert guard.inventions(items, asked) == []


def test_a_sentence_leaves_while_it_is_written(guard: Guard) -> None:
    read = AnswerFilter(guard.read(Asked()), "replace", lambda _: [])
    for word in ["This", "is", "a", "sentence", "of", "a", "few", "words", "that", "names"]:
        read.take(f"{word} ")
    assert read.clear == len("This is a sentence of a few words that ")
    for word in ["nothing,", "so", "pip", "install", "zz-quux-sensorlib", "now", "and"]:
        read.take(f"{word} ")
    assert read.clear < len("This is a sentence of a few words that names nothing, so pip ")


def test_names_of_the_prompt_pass(guard: Guard) -> None:
    asked = Asked("How do I install zz-quux-sensorlib?")
    text = ANSWERS["shell"]
    assert passed(guard, text, "replace", CUTS["by chance"], asked)[0] == text


BLOCKS = {
    "prose": "Some words of prose that go on and on, and name nothing at all.\n",
    "no line ends": "word " * 40,
    "endless name": "zz-endless-",
    "continued": "\\\n",
    "fences": "x = 1\n" * 30 + f"```{'x' * 50}\n",
    "inventions": "x = 1\n" * 60 + "pip install zz-quux-sensorlib\n",
}


def cost(guard: Guard, block: str, characters: int) -> float:
    """Seconds of processor time that an answer of so many blocks takes."""
    read = AnswerFilter(guard.read(Asked()), "replace", lambda _: [])
    text = block * (characters // len(block))
    began = time.process_time()
    for at in range(0, len(text), 40):
        if read.take(text[at : at + 40]):
            read.check()
    read.check(ended=True)
    assert len(read._text) < 40_000  # the memory is flat
    return time.process_time() - began


@pytest.mark.parametrize("name", BLOCKS)
def test_time_and_memory_are_linear(guard: Guard, name: str) -> None:
    cost(guard, BLOCKS[name], 10_000)
    whole = cost(guard, BLOCKS[name], 64_000)
    assert whole < 8 * cost(guard, BLOCKS[name], 16_000) + 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["prose", "no line ends", "endless name", "inventions"])
def test_an_answer_of_100_000_tokens_ends(guard: Guard, name: str) -> None:
    whole = cost(guard, BLOCKS[name], 400_000)
    assert whole < 8 * cost(guard, BLOCKS[name], 100_000) + 0.2
