from __future__ import annotations

from ghostbust.gates.interface import inconclusive
from ghostbust.records import GateReport, GateVerdict


def test_a_gate_that_did_not_run_never_passes_a_report() -> None:
    result = inconclusive("coding", "not run: no data", "loss <= 0.05")
    assert (result.verdict, result.reason) == (GateVerdict.INCONCLUSIVE, "not run: no data")
    assert (result.base, result.candidate, result.ci) == (None, None, None)
    assert GateReport("round-1", (result,)).verdict is GateVerdict.INCONCLUSIVE
