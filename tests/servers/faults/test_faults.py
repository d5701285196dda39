"""With half of all answers spoilt, no verdict is wrong, and UNKNOWN is what was never answered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

import httpx
import pytest

from ghostbust.records import PROMPTED, Ecosystem, Lookup, Verdict
from ghostbust.registries.endpoints import endpoint
from ghostbust.registries.live import LiveLookups
from ghostbust.registries.npm import NpmRegistry
from ghostbust.registries.npm_config import NpmEndpoints
from ghostbust.registries.pypi import PyPIRegistry
from ghostbust.registries.transport import Client, Hosts, Manners, Patience

if TYPE_CHECKING:
    from tests.servers.conftest import NpmServer, PyPIServer
    from tests.servers.faults.conftest import FaultProxy

# As long as the usual one in attempts, in a hurry in everything else.
PATIENCE = Patience(initial_s=0.01, longest_s=0.1, floor_s=0.01, jitter_s=0.02)
MANNERS = Manners(in_flight=24, per_second=2000)
MakeProxy = Callable[[str, int], "FaultProxy"]


def look_up(
    proxies: dict[Ecosystem, FaultProxy], names: dict[Ecosystem, list[str]], timeout_s: float = 0.7
) -> dict[Ecosystem, dict[str, Lookup]]:
    """Every verdict on the names, from the servers behind the proxies."""
    http = httpx.AsyncClient(trust_env=False, timeout=timeout_s)
    client = Client(http, replace(PATIENCE, answer_s=1.5 * timeout_s), Hosts(MANNERS))
    pypi, npm = (endpoint(proxies[eco].url, "test") for eco in (Ecosystem.PYPI, Ecosystem.NPM))
    live = LiveLookups(
        {
            Ecosystem.PYPI: PyPIRegistry(client, pypi),
            Ecosystem.NPM: NpmRegistry(client, NpmEndpoints(npm)),
        },
        on_close=http.aclose,
    )
    found = {ecosystem: live.look_up(ecosystem, names[ecosystem]) for ecosystem in names}
    live.close()
    return found


def hold(
    proxies: dict[Ecosystem, FaultProxy],
    names: dict[Ecosystem, list[str]],
    found: dict[Ecosystem, dict[str, Lookup]],
) -> Counter[Verdict]:
    """How often which verdict came. Fails at a wrong one."""
    count: Counter[Verdict] = Counter()
    for ecosystem, lookups in found.items():
        assert list(lookups) == names[ecosystem]
        log = {unquote(path).strip("/").rpartition("/")[2]: sent
               for path, sent in proxies[ecosystem].log.items()}  # fmt: skip
        for name, lookup in lookups.items():
            count[lookup.verdict] += 1
            if lookup.verdict is Verdict.UNKNOWN:
                assert lookup.reason == "unreachable"
                assert None not in log[name], f"{name} was answered: {log[name]}"
                continue
            assert "dead" not in name
            expected = Verdict.REAL if "real" in name else Verdict.ABSENT
            assert lookup.verdict is expected, lookup
    return count


def names_of(real: int, absent: int, dead: int) -> list[str]:
    """So many of each kind, mixed. The proxy never answers for the dead ones."""
    kinds = [("real", real), ("absent", absent), ("dead", dead)]
    ordered = sorted((n / most, f"zz-{kind}-{n}") for kind, most in kinds for n in range(most))
    return [name for _, name in ordered]


def test_half_of_all_answers_spoilt(
    pypi_server: PyPIServer, npm_server: NpmServer, make_proxy: MakeProxy
) -> None:
    names = {ecosystem: names_of(60, 88, 2) for ecosystem in PROMPTED}
    proxies = {
        Ecosystem.PYPI: make_proxy(pypi_server.url, 1),
        Ecosystem.NPM: make_proxy(npm_server.url, 2),
    }
    count = hold(proxies, names, look_up(proxies, names))
    assert count.total() == 300
    assert 4 <= count[Verdict.UNKNOWN] <= 6, "the dead, and next to none beside them"
    sent = [fault for proxy in proxies.values() for log in proxy.log.values() for fault in log]
    kinds = {fault for fault in sent if fault is not None}
    assert kinds == set(type(next(iter(kinds)))), "every kind of fault has happened"


@pytest.mark.soak
def test_ten_thousand_look_ups(
    pypi_server: PyPIServer,
    npm_server: NpmServer,
    make_proxy: MakeProxy,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for n in range(60, 400):
        pypi_server.publish(f"zz-real-{n}")
        npm_server.publish(f"zz-real-{n}")
    names = {ecosystem: names_of(400, 4560, 40) for ecosystem in PROMPTED}
    proxies = {
        Ecosystem.PYPI: make_proxy(pypi_server.url, 3),
        Ecosystem.NPM: make_proxy(npm_server.url, 4),
    }
    started = time.monotonic()
    found = look_up(proxies, names, timeout_s=2)
    took = time.monotonic() - started
    count = hold(proxies, names, found)
    assert count.total() == 10_000
    answers = Counter(
        fault for proxy in proxies.values() for log in proxy.log.values() for fault in log
    )
    with capsys.disabled():
        told = {str(verdict): number for verdict, number in count.items()}
        spoilt = answers.total() - answers[None]
        print(f"\n{told}; {answers.total()} answers, {spoilt} spoilt, {took:.0f} s")
    assert 80 <= count[Verdict.UNKNOWN] <= 82
