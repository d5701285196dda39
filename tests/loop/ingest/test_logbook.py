"""Which model a log means, and which family a text is of."""

from __future__ import annotations

from pathlib import Path

from ghostbust.config import load_config, override
from ghostbust.home import Home
from ghostbust.loop.ingest.logbook import ServedModels, known_families
from ghostbust.loop.ingest.run import open_logs
from ghostbust.prompts import seed_tasks
from ghostbust.records import Candidate, Context


def test_an_adapters_name_in_place_of_a_model(home: Home) -> None:
    config = load_config(None, home, trust_here=False)
    config = override(config, model__endpoint_model="served", registry__mode="snapshot")
    with open_logs(home, config) as session:
        round_id = session.store.rounds.start(model="smollm2", method="au", seed=0, settings={})
        candidate = Candidate("round-1", Path("/a"), "smollm2", "au", 0, 1, 0.0, 0.0)
        session.store.rounds.add_candidate(round_id, candidate)
        models = ServedModels(session)
    assert models.of("round-1", None) == ("smollm2", "round-1")
    assert models.of("served", None) == models.of(None, None) == ("smollm2", None)
    assert models.of("acme", "x") == ("acme", "x")


def test_tasks_of_the_settings_are_known_in_every_form(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text('{"id": "own-1", "task": "Count the herons."}\n')
    config = override(load_config(None, home, trust_here=False), prompts__files=(file,))
    families = known_families(config)
    assert families["Count the herons."] == "own-1"
    seed = seed_tasks()[0]
    for context in (Context.CODE, Context.HELPS):
        assert families[seed.prompt(context).text] == seed.id
