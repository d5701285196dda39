"""The live registries of this machine."""

from __future__ import annotations

import pytest

from ghostbust.records import ASKED, Ecosystem, Verdict
from ghostbust.registries.judge import Mode, default_judge
from ghostbust.registries.live import close_clients, live_registries, open_clients


async def test_there_is_one_for_each_ecosystem() -> None:
    clients = open_clients()
    registries = live_registries(clients)
    await close_clients(clients)
    assert {ecosystem: one.ecosystem for ecosystem, one in registries.items()} == {
        ecosystem: ecosystem for ecosystem in ASKED
    }
    assert all(client.http.is_closed for client in clients.values())


async def test_a_host_has_one_queue_whoever_asks() -> None:
    clients = open_clients()
    await close_clients(clients)
    pypi, npm = (clients[ecosystem].hosts.of("https://index.example.test") for ecosystem in ASKED)
    assert pypi is npm


@pytest.mark.online
def test_public_registries_answer() -> None:
    with default_judge(Mode.LIVE) as judge:
        pip = judge.names(Ecosystem.PYPI, ["pip"])["pip"]
        npm = judge.names(Ecosystem.NPM, ["npm"])["npm"]
    assert (pip.verdict, npm.verdict) == (Verdict.REAL, Verdict.REAL)
    assert "first seen" in pip.evidence
