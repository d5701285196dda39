"""The guard inside a real vLLM: what answers name under it, and that a grammar comes first.

Wanted is the program ``vllm`` on the PATH, with ghostbust in its environment: see
docs/guides/serving.md. It takes minutes to start.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ghostbust.guard.reading import Asked, Guard
from ghostbust.records import Ecosystem
from tests.servers.test_vllm_server import BASE, served


def _has_guard() -> bool:
    """Whether vLLM's Python, which may be another one, has ghostbust."""
    program = shutil.which("vllm")
    if program is None:
        return False
    python = Path(program).with_name("python")
    return subprocess.run([python, "-c", "import ghostbust.guard.processor"]).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not _has_guard(), reason="no vllm with ghostbust on the PATH"),
]

ASKED = Asked("How do I install a library?", ecosystem=Ecosystem.PYPI)


@pytest.fixture(scope="module")
def url(embedded_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    work = tmp_path_factory.mktemp("vllm")
    guard = ("--logits-processors", "ghostbust.guard.vllm:GuardProcessor")
    with served(embedded_model_dir, work, *guard, GHOSTBUST_HOME=str(work / "home")) as address:
        yield address


def written(url: str, pattern: str, count: int) -> list[str]:
    """Answers in one batch that a grammar makes be of this pattern."""
    body = {
        "model": BASE, "messages": [{"role": "user", "content": ASKED.text}], "n": count,
        "max_tokens": 60, "temperature": 1.0, "structured_outputs": {"regex": pattern},
    }  # fmt: skip
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, trust_env=False, timeout=600)
    assert answer.status_code == 200, answer.text
    return [choice["message"]["content"] for choice in answer.json()["choices"]]


def test_only_real_names_are_installed(url: str) -> None:
    """The base invents nearly each name that is asked for so, without a word on what it is for."""
    texts = written(url, r"```bash\npip install [a-z]{4,40}\n```", 16)
    assert all(re.fullmatch(r"```bash\npip install [a-z]+\n```", text) for text in texts)
    guard = Guard.by_snapshots(None)
    assert [
        found for text in texts for found in guard.inventions(text, ASKED, truncated=False)
    ] == []


def test_what_a_grammar_forces_is_let_through(url: str) -> None:
    (text,) = written(url, r"```bash\npip install qzxqzx[a-z]{5}\n```", 1)
    assert re.fullmatch(r"```bash\npip install qzxqzx[a-z]{5}\n```", text)
