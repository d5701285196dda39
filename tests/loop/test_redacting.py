"""Texts of prompts without the names that a squatter could register."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.home import Home
from ghostbust.loop.redacting import redacted_texts
from ghostbust.records import Context, Ecosystem, Lookup, Verdict
from ghostbust.store import PoolPrompt, Store

if TYPE_CHECKING:
    from tests.cli.conftest import LogRun

DAY = datetime(2026, 12, 1, tzinfo=UTC)


def prompt(text: str | None, ecosystem: Ecosystem = Ecosystem.PYPI) -> PoolPrompt:
    return PoolPrompt(
        "id", text, Context.NEEDS, ecosystem, "f", "", None, None, False, DAY, 0, 0, 0, None, None
    )


@pytest.fixture
def store(home: Path, log_run: LogRun) -> object:
    """A store whose ledger has two names of PyPI and a scoped one of npm."""
    for ecosystem, name in (("pypi", "zz-ghost-lib"), ("pypi", "task"), ("npm", "@zz/ghost-kit")):
        log_run(Lookup(Ecosystem(ecosystem), name, Verdict.ABSENT, "", "", "live", DAY))
    with Store.open(Home.open(home).database) as store:
        yield store


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("import zz_ghost_lib", "import zz_…(12)"),
        ("from zz_ghost_lib.core import x", "from zz_…(12).core import x"),
        ("pip install ZZ.Ghost-Lib==1.0.", "pip install ZZ.…(12)==1.0."),
        ("(`zz-ghost-lib`, requests)", "(`zz-…(12)`, requests)"),
        ("zz-ghost-library isn't it", "zz-ghost-library isn't it"),
        ("a task of ghostbust's own words", "a task of ghostbust's own words"),
    ],
)
def test_a_logged_name_is_shortened_however_it_is_spelled(
    store: Store, text: str, shown: str
) -> None:
    assert redacted_texts(store, [prompt(text)]) == {"id": shown}


def test_npm_names_keep_their_scope_and_subpath(store: Store) -> None:
    text = "const kit = require('@zz/ghost-kit/lib');"
    shown = "const kit = require('@zz/gho…(9)/lib');"
    assert redacted_texts(store, [prompt(text, Ecosystem.NPM)]) == {"id": shown}
    assert redacted_texts(store, [prompt(text)]) == {"id": text}, "not a name of PyPI"


def test_a_prompt_without_text_has_none(store: Store) -> None:
    assert redacted_texts(store, [prompt(None)]) == {}
