"""A store of any size, filled by SQL: made-up answers, refs, verdicts and names, for timings."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from ghostbust.records import Measurement
from ghostbust.store.connection import encode, encode_time
from ghostbust.store.store import Store

REFS_PER_SAMPLE: Final = 4
SAMPLES_PER_PROMPT: Final = 10
RUNS: Final = 100
REAL_NAMES: Final = 20_000
_AT: Final = "strftime('%Y-%m-%dT%H:%M:%S+00:00', 1760000000 + {} * 60, 'unixepoch')"

# A ref is number i of all; its sample is i / 4, its place i % 4; places 0 hold invented names.
_FILL: Final = f"""
CREATE TEMP TABLE i AS WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n
 WHERE i + 1 < max(:refs, :names, {REAL_NAMES})) SELECT i FROM n;
INSERT INTO prompts (id, text, context, ecosystem, family, domain, parent, operator, private, added)
 SELECT printf('p%07d', i), 'Write a program that does task ' || i || '.',
  CASE i % 3 WHEN 0 THEN 'code' WHEN 1 THEN 'needs' ELSE 'helps' END, 'pypi', 'f' || i / 3, '',
  iif(i % 3, printf('p%07d', i - 1), NULL), iif(i % 3, 'sibling', NULL), 0, {_AT.format("i")}
 FROM i WHERE i < :samples / {SAMPLES_PER_PROMPT} + 1;
INSERT INTO samples (id, prompt_id, text, model, adapter, seed, number, temperature, truncated,
 tokens, added)
 SELECT printf('s%08d', i), printf('p%07d', i / {SAMPLES_PER_PROMPT}),
  printf('pip install made-up-%06d real-%05d', i * 7919 % :names, i % {REAL_NAMES}),
  'made-up-model', NULL, 1, i % {SAMPLES_PER_PROMPT}, 0.7, 0, 40, {_AT.format("i")}
 FROM i WHERE i < :samples;
INSERT INTO run_samples (run_id, sample_id, judgement)
 SELECT 1 + i % {RUNS}, printf('s%08d', i), 'j' FROM i WHERE i < :samples;
INSERT INTO verdicts SELECT printf('r%05d', i), 'pypi', printf('real-%05d', i), 'REAL',
 'registered', '', 'snapshot:2026-01-02', '2026-01-02T00:00:00+00:00'
 FROM i WHERE i < {REAL_NAMES};
INSERT INTO verdicts SELECT printf('a%06d', i), 'pypi', printf('made-up-%06d', i), 'ABSENT',
 'not-registered', '', 'snapshot:2026-01-02', '2026-01-02T00:00:00+00:00'
 FROM i WHERE i < :names;
INSERT INTO refs (sample_id, judgement, position, ecosystem, kind, raw, start_char, end_char, name,
 builtin, flags, verdict_id)
 SELECT printf('s%08d', i / 4), 'j', i % 4, 'pypi', 'install', raw, 12 + 15 * (i % 4 > 0),
  12 + 15 * (i % 4 > 0) + length(raw), raw, 0, '', id FROM (SELECT i,
   iif(i % 4, printf('real-%05d', i / 4 % {REAL_NAMES}),
    printf('made-up-%06d', i / 4 * 7919 % :names)) AS raw,
   iif(i % 4, printf('r%05d', i / 4 % {REAL_NAMES}),
    printf('a%06d', i / 4 * 7919 % :names)) AS id
  FROM i WHERE i < :refs);
INSERT INTO names (id, ecosystem, name, verdict, reason, times_seen, prompts, first_seen, last_seen)
 SELECT i + 1, 'pypi', printf('made-up-%06d', i), 'ABSENT', 'not-registered', 1 + i * 31 % 97,
  1 + i * 17 % 13, {_AT.format("i % 9999")}, {_AT.format("10000 + i * 13 % 9999")}
 FROM i WHERE i < :names;
INSERT INTO sightings (name_id, prompt_id, sample_id)
 SELECT 1 + i * 7919 % :names, printf('p%07d', i / {SAMPLES_PER_PROMPT}), printf('s%08d', i)
 FROM i WHERE i < :samples;
INSERT INTO repeats (name_id, adapter, asked_again, came_back, prompts, at_least)
 SELECT i + 1, '', 10, i % 11, 1, (i % 11) / 11.0 FROM i WHERE i < :names;
"""  # noqa: S608


_RUN: Final = (
    "INSERT INTO runs (id, kind, model, adapter, seed, settings, snapshots, version, process,"
    " started, finished, status, measurement)"
    " VALUES (?, 'watch', 'made-up-model', NULL, ?, '{}', '{}', '0', '1:', ?, ?, 'done', ?)"
)


def _run(number: int) -> tuple[object, ...]:
    rate = 0.2 + (number % 10) / 100
    measured = Measurement(rate, (rate - 0.02, rate + 0.02), 40, 30, 10, 0, 0, 10, 3.0)
    at = encode_time(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number))
    return number, number, at, at, encode(measured)


def fill(database: Path, *, refs: int, names: int) -> None:
    """Makes a store there with so many refs and names. Every row is made up, and the same again."""
    with Store.open(database):
        pass  # makes the tables
    samples = max(1, refs // REFS_PER_SAMPLE)
    values = {"refs": refs, "samples": samples, "names": names}
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = off")
        connection.execute("BEGIN")
        connection.executemany(_RUN, [_run(number) for number in range(1, RUNS + 1)])
        for statement in _FILL.split(";\n"):
            if statement.strip():
                connection.execute(statement, values)
        connection.execute("COMMIT")
