"""The scripts that time peers."""

from __future__ import annotations

import ast

import pytest

from ghostbust.bench.peers import PEERS, Peer


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_script_is_python_and_reads_the_input_of_its_kind(peer: Peer) -> None:
    ast.parse(peer.script)
    assert peer.name in peer.script
    assert {"answers": "answers.json", "requirements": "requirements.txt"}[
        peer.reads
    ] in peer.script
