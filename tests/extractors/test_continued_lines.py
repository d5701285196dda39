"""Comments between the lines of a continued command."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.shell_words import goes_on

PIP = ["pip", "a1"]


@pytest.mark.parametrize(
    "line", ["  b1", "b1 \\", "b1==2", "b1[x]", "'b1'", "-U b1", "&& pip install b1", "    pip \\"]
)
def test_goes_on(line: str) -> None:
    assert goes_on(line, PIP, indent=0, loose=False)


@pytest.mark.parametrize(
    "line",
    ["pip install b1", "  pip install b1", "python app.py", "pytest", "b1 c1", "$ b1", "", " "],
)
def test_does_not_go_on(line: str) -> None:
    assert not goes_on(line, PIP, indent=0, loose=False)


def test_what_the_command_says() -> None:
    assert goes_on("b1", ["pip", "install"], indent=0, loose=False)
    assert goes_on("b1", ["RUN", "a1"], indent=0, loose=False)
    assert goes_on("b1", PIP, indent=0, loose=True)
    assert not goes_on("  b1", PIP, indent=2, loose=False)
    assert not goes_on("  b1", [], indent=0, loose=False)


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("pip install a1 \\\n  # why\npip install b1", ["a1", "b1"]),
        (
            "pip install a1 \\\n  # why\n  b1 \\\n  # why\n  c1\npip install d1",
            ["a1", "b1", "c1", "d1"],
        ),
        ("pip install a1 \\\n# why\nb1 \\\n# why\nc1", ["a1", "b1", "c1"]),
        ("pip install a1 \\ # why\n  b1 \\ # why\n  c1", ["a1", "b1", "c1"]),
        ("pip install a1 \\\n  # why\n\n  b1", ["a1"]),
        ("pip install a1 \\\n  # why", ["a1"]),
        ("pip install a1 \\\n  # why\n", ["a1"]),
        ("npm install a1 \\\r\n  # why\r\nnpm run build", ["a1"]),
        ("  pip install a1 \\\n  # why\n  pytest", ["a1"]),
    ],
)
def test_extract_reads_what_goes_on(script: str, names: list[str]) -> None:
    text = f"```bash\n{script}\n```"
    refs = extract(text)
    assert [ref.raw for ref in refs] == names
    assert [text[ref.start : ref.end] for ref in refs] == names


@pytest.mark.usefixtures("hang_guard")
def test_many_comments_take_linear_time() -> None:
    extract("```sh\npip install a1 " + "b1 " * 1000 + "\\\n# why\n  b1 \\\n" * 20_000 + "```")
