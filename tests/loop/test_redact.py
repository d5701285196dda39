"""Texts without the names that a squatter could register."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ghostbust.loop.redact import redacted_text
from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
    Verdict,
)
from ghostbust.store.runs import RunKind, RunSpec
from ghostbust.store.store import Store

DAY = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def ledger(store: Store) -> None:
    """Two names of PyPI and a scoped one of npm."""
    run_id = store.runs.start(RunSpec(RunKind.SWEEP, "m", None, 0))
    for ecosystem, name in (("pypi", "zz-ghost-lib"), ("pypi", "task"), ("npm", "@zz/ghost-kit")):
        kind = Ecosystem(ecosystem)
        lookup = Lookup(kind, name, Verdict.ABSENT, "", "", "live", DAY)
        ref = PackageRef(kind, RefKind.INSTALL, name, 0, len(name), name)
        asked = Prompt(f"do {name}", Context.CODE, kind, "family")
        sample = Sample(asked, name, "m", None, 0, 0, 0.7, False, 9)
        store.answers.add(run_id, [Answer(sample, (Judged(ref, lookup),))])


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
    assert redacted_text(store, text, Ecosystem.PYPI) == shown


def test_npm_names_keep_their_scope_and_subpath(store: Store) -> None:
    text = "const kit = require('@zz/ghost-kit/lib');"
    shown = "const kit = require('@zz/gho…(9)/lib');"
    assert redacted_text(store, text, Ecosystem.NPM) == shown
    assert redacted_text(store, text, Ecosystem.PYPI) == text, "not a name of PyPI"


def test_what_an_answer_names_is_shortened_before_the_ledger_has_it(store: Store) -> None:
    text = "import brand_new\npip install brand-new zz-ghost-lib"
    shown = redacted_text(store, text, Ecosystem.PYPI, also=("brand-new", "brand_new"))

    assert shown == "import bra…(9)\npip install bra…(9) zz-…(12)"
