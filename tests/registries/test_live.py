"""The live registries of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.errors import ConfigError
from ghostbust.records import ASKED, Ecosystem, Verdict
from ghostbust.registries.judge import Mode, default_judge
from ghostbust.registries.live import certificates, live_registries, open_client


async def test_there_is_one_for_each_ecosystem() -> None:
    async with open_client() as client:
        registries = live_registries(client)
    assert {ecosystem: one.ecosystem for ecosystem, one in registries.items()} == {
        ecosystem: ecosystem for ecosystem in ASKED
    }


def test_broken_certificates_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle.pem"
    monkeypatch.setenv("PIP_CERT", str(bundle))
    for content in (None, b"no certificate"):
        if content is not None:
            bundle.write_bytes(content)
        with pytest.raises(ConfigError, match=r"bundle\.pem"):
            certificates()


@pytest.mark.online
def test_public_registries_answer() -> None:
    with default_judge(Mode.LIVE) as judge:
        pip = judge.names(Ecosystem.PYPI, ["pip"])["pip"]
        npm = judge.names(Ecosystem.NPM, ["npm"])["npm"]
    assert (pip.verdict, npm.verdict) == (Verdict.REAL, Verdict.REAL)
    assert "first seen" in pip.evidence
