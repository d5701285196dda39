"""The database schema, as steps that are applied once each and never changed afterwards.

A new version of ghostbust appends a step to `STEPS`. What every column means stands in
docs/reference/store.md, which a test compares with the tables made here.
"""

from __future__ import annotations

from typing import Final

from sqlite_utils import Database, Migrations


def m001_line(db: Database) -> None:
    """Makes the tables of the whole line, from prompts to promotions."""
    db.executescript("""
        CREATE TABLE runs (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            model TEXT NOT NULL,
            adapter TEXT,
            seed INTEGER NOT NULL,
            settings TEXT NOT NULL,
            snapshots TEXT NOT NULL,
            version TEXT NOT NULL,
            process TEXT NOT NULL,
            started TEXT NOT NULL,
            finished TEXT,
            status TEXT NOT NULL,
            measurement TEXT
        ) STRICT;
        CREATE INDEX runs_by_status ON runs (status);
        CREATE TABLE prompts (
            id TEXT PRIMARY KEY NOT NULL,
            text TEXT,
            context TEXT NOT NULL,
            ecosystem TEXT NOT NULL,
            family TEXT NOT NULL,
            domain TEXT NOT NULL,
            parent TEXT,
            operator TEXT,
            private INTEGER NOT NULL,
            added TEXT NOT NULL
        ) STRICT;
        CREATE TABLE samples (
            id TEXT PRIMARY KEY NOT NULL,
            prompt_id TEXT NOT NULL REFERENCES prompts (id),
            text TEXT,
            model TEXT NOT NULL,
            adapter TEXT,
            seed INTEGER NOT NULL,
            number INTEGER NOT NULL,
            temperature REAL NOT NULL,
            truncated INTEGER NOT NULL,
            tokens INTEGER NOT NULL,
            added TEXT NOT NULL
        ) STRICT;
        CREATE INDEX samples_by_prompt ON samples (prompt_id, added);
        CREATE TABLE run_samples (
            run_id INTEGER NOT NULL REFERENCES runs (id),
            sample_id TEXT NOT NULL REFERENCES samples (id),
            judgement TEXT NOT NULL,
            PRIMARY KEY (run_id, sample_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX run_samples_by_sample ON run_samples (sample_id, run_id);
        CREATE TABLE verdicts (
            id TEXT PRIMARY KEY NOT NULL,
            ecosystem TEXT NOT NULL,
            name TEXT NOT NULL,
            verdict TEXT NOT NULL,
            reason TEXT NOT NULL,
            evidence TEXT NOT NULL,
            source TEXT NOT NULL,
            looked_up_at TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE refs (
            sample_id TEXT NOT NULL REFERENCES samples (id),
            judgement TEXT NOT NULL,
            position INTEGER NOT NULL,
            ecosystem TEXT NOT NULL,
            kind TEXT NOT NULL,
            raw TEXT NOT NULL,
            start_char INTEGER NOT NULL,
            end_char INTEGER NOT NULL,
            name TEXT,
            import_name TEXT,
            builtin INTEGER NOT NULL,
            flags TEXT NOT NULL,
            verdict_id TEXT NOT NULL REFERENCES verdicts (id),
            PRIMARY KEY (sample_id, judgement, position)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE lookups (
            ecosystem TEXT NOT NULL,
            name TEXT NOT NULL,
            verdict TEXT NOT NULL,
            reason TEXT NOT NULL,
            evidence TEXT NOT NULL,
            source TEXT NOT NULL,
            looked_up_at TEXT NOT NULL,
            PRIMARY KEY (ecosystem, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE names (
            id INTEGER PRIMARY KEY,
            ecosystem TEXT NOT NULL,
            name TEXT NOT NULL,
            verdict TEXT NOT NULL,
            reason TEXT NOT NULL,
            times_seen INTEGER NOT NULL,
            prompts INTEGER NOT NULL,
            first_seen TEXT NOT NULL,
            last_seen TEXT NOT NULL,
            claimed_at TEXT,
            UNIQUE (ecosystem, name)
        ) STRICT;
        CREATE INDEX names_by_times_seen ON names (times_seen);
        CREATE INDEX names_by_prompts ON names (prompts);
        CREATE INDEX names_by_first_seen ON names (first_seen);
        CREATE INDEX names_by_last_seen ON names (last_seen);
        CREATE INDEX names_by_name ON names (name);
        CREATE TABLE sightings (
            name_id INTEGER NOT NULL REFERENCES names (id),
            prompt_id TEXT NOT NULL REFERENCES prompts (id),
            sample_id TEXT NOT NULL REFERENCES samples (id),
            PRIMARY KEY (name_id, prompt_id, sample_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sightings_by_prompt ON sightings (prompt_id, name_id);
        -- promotions.adapter has no foreign key: it is the log of a pointer that has moved already,
        -- and must take every move.
        CREATE TABLE rounds (
            id INTEGER PRIMARY KEY,
            model TEXT NOT NULL,
            method TEXT NOT NULL,
            seed INTEGER NOT NULL,
            settings TEXT NOT NULL,
            version TEXT NOT NULL,
            process TEXT NOT NULL,
            state TEXT NOT NULL,
            reason TEXT NOT NULL,
            started TEXT NOT NULL,
            updated TEXT NOT NULL,
            forget INTEGER,
            retain INTEGER,
            holdout INTEGER,
            sets_id TEXT,
            verdict TEXT
        ) STRICT;
        CREATE TABLE adapters (
            name TEXT PRIMARY KEY NOT NULL,
            round_id INTEGER NOT NULL UNIQUE REFERENCES rounds (id),
            path TEXT NOT NULL,
            model TEXT NOT NULL,
            method TEXT NOT NULL,
            seed INTEGER NOT NULL,
            steps INTEGER NOT NULL,
            final_loss REAL NOT NULL,
            train_s REAL NOT NULL,
            version TEXT NOT NULL,
            created TEXT NOT NULL
        ) STRICT;
        CREATE TABLE gate_results (
            round_id INTEGER NOT NULL REFERENCES rounds (id),
            position INTEGER NOT NULL,
            candidate TEXT NOT NULL,
            gate TEXT NOT NULL,
            verdict TEXT NOT NULL,
            reason TEXT NOT NULL,
            base_value REAL,
            candidate_value REAL,
            ci_low REAL,
            ci_high REAL,
            margin TEXT NOT NULL,
            details TEXT NOT NULL,
            PRIMARY KEY (round_id, position)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE promotions (
            id INTEGER PRIMARY KEY,
            adapter TEXT,
            previous TEXT,
            kind TEXT NOT NULL,
            reason TEXT NOT NULL,
            at TEXT NOT NULL
        ) STRICT;
    """)


def m002_age_and_alarms(db: Database) -> None:
    """Adds to a cached verdict what it says of age, and the table of claimed names."""
    db.executescript("""
        ALTER TABLE lookups ADD COLUMN first_released TEXT;
        ALTER TABLE lookups ADD COLUMN validator TEXT NOT NULL DEFAULT '';
        CREATE TABLE alarms (
            id INTEGER PRIMARY KEY,
            name_id INTEGER NOT NULL UNIQUE REFERENCES names (id),
            at TEXT NOT NULL,
            first_released TEXT,
            uploader TEXT NOT NULL,
            evidence TEXT NOT NULL,
            told TEXT NOT NULL
        ) STRICT;
    """)


def m003_discovery(db: Database) -> None:
    """Adds a prompt's earlier turns and second parent, and the table of rewritings."""
    db.executescript("""
        ALTER TABLE prompts ADD COLUMN turns TEXT;
        ALTER TABLE prompts ADD COLUMN other_parent TEXT;
        CREATE TABLE rewritings (
            id INTEGER PRIMARY KEY,
            operator TEXT NOT NULL,
            parent TEXT NOT NULL REFERENCES prompts (id),
            child TEXT,
            tokens INTEGER NOT NULL,
            model TEXT NOT NULL,
            adapter TEXT,
            seed INTEGER NOT NULL,
            at TEXT NOT NULL
        ) STRICT;
        CREATE INDEX rewritings_by_operator ON rewritings (operator, child);
    """)


def m004_ingest(db: Database) -> None:
    """Adds how far logs were read, what was counted in them, and where inventions stand."""
    db.executescript("""
        CREATE TABLE ingest_files (
            id INTEGER PRIMARY KEY,
            path TEXT NOT NULL,
            device INTEGER NOT NULL,
            inode INTEGER NOT NULL,
            head_bytes INTEGER NOT NULL,
            head TEXT NOT NULL,
            tail TEXT NOT NULL,
            offset INTEGER NOT NULL,
            lines INTEGER NOT NULL,
            updated TEXT NOT NULL
        ) STRICT;
        CREATE INDEX ingest_files_by_head ON ingest_files (head_bytes, head);
        CREATE INDEX ingest_files_by_path ON ingest_files (path, updated);
        CREATE TABLE ingest_counts (
            run_id INTEGER NOT NULL REFERENCES runs (id),
            model TEXT NOT NULL,
            adapter TEXT NOT NULL,
            context TEXT NOT NULL,
            family_group INTEGER NOT NULL,
            answers INTEGER NOT NULL,
            real INTEGER NOT NULL,
            absent INTEGER NOT NULL,
            suspect INTEGER NOT NULL,
            unknown INTEGER NOT NULL,
            PRIMARY KEY (run_id, model, adapter, context, family_group)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE ingest_lines (
            sample_id TEXT PRIMARY KEY NOT NULL REFERENCES samples (id),
            file_id INTEGER REFERENCES ingest_files (id),
            line INTEGER NOT NULL,
            logged TEXT
        ) STRICT, WITHOUT ROWID;
    """)


def m005_repeatability(db: Database) -> None:
    """Adds how often a name comes back, and when a prompt was taken out of the pool."""
    db.executescript("""
        -- repeats.adapter is part of a key, so it can't be null; names.counted_at is null for names
        -- whose repeats were never counted, as all of an older file's.
        CREATE TABLE repeats (
            name_id INTEGER NOT NULL REFERENCES names (id),
            adapter TEXT NOT NULL,
            asked_again INTEGER NOT NULL,
            came_back INTEGER NOT NULL,
            prompts INTEGER NOT NULL,
            at_least REAL NOT NULL,
            PRIMARY KEY (name_id, adapter)
        ) STRICT, WITHOUT ROWID;
        ALTER TABLE names ADD COLUMN counted_at TEXT;
        ALTER TABLE prompts ADD COLUMN pruned TEXT;
    """)


def m006_published(db: Database) -> None:
    """Adds the tables of what was loaded where, and what it showed there."""
    db.executescript("""
        CREATE TABLE published (
            replica TEXT NOT NULL,
            adapter TEXT NOT NULL,
            loaded TEXT NOT NULL,
            unloaded TEXT,
            PRIMARY KEY (replica, adapter)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE canaries (
            id INTEGER PRIMARY KEY,
            replica TEXT NOT NULL,
            adapter TEXT NOT NULL,
            passed INTEGER NOT NULL,
            reason TEXT NOT NULL,
            base TEXT NOT NULL,
            figures TEXT NOT NULL,
            at TEXT NOT NULL
        ) STRICT;
        CREATE INDEX canaries_by_adapter ON canaries (adapter);
    """)


def m007_round_steps(db: Database) -> None:
    """Adds what a round is gone on with, what requests came to, and the state rolled-back."""
    db.executescript("""
        -- A round whose plan is null can't be gone on with: older ones, and those of benches.
        ALTER TABLE rounds ADD COLUMN plan TEXT;
        ALTER TABLE rounds ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1;
        ALTER TABLE rounds ADD COLUMN before_run INTEGER REFERENCES runs (id);
        ALTER TABLE rounds ADD COLUMN after_run INTEGER REFERENCES runs (id);
        CREATE TABLE round_sets (
            round_id INTEGER NOT NULL REFERENCES rounds (id),
            part TEXT NOT NULL,
            position INTEGER NOT NULL,
            item TEXT NOT NULL,
            judgement TEXT,
            PRIMARY KEY (round_id, part, position)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE requests (
            run_id INTEGER PRIMARY KEY NOT NULL REFERENCES runs (id),
            answered INTEGER NOT NULL,
            failed INTEGER NOT NULL,
            median_s REAL
        ) STRICT;
        -- What the last move of an adapter's pointer says of a round that was promoted.
        UPDATE rounds SET state = 'rolled-back', reason = (
            SELECT p.reason FROM promotions p JOIN adapters a ON a.name = p.previous
            WHERE a.round_id = rounds.id AND p.kind = 'rollback' ORDER BY p.id DESC LIMIT 1
        )
        WHERE state = 'promoted' AND id IN (
            SELECT a.round_id FROM adapters a WHERE 'rollback' = (
                SELECT iif(p.previous = a.name, p.kind, '') FROM promotions p
                WHERE p.adapter = a.name OR (p.previous = a.name AND p.kind = 'rollback')
                ORDER BY p.id DESC LIMIT 1
            )
        );
    """)


def m008_jobs(db: Database) -> None:
    """Adds the tables of the daemon's jobs and of what was spent each day."""
    db.executescript("""
        CREATE TABLE jobs (
            name TEXT PRIMARY KEY NOT NULL,
            paused TEXT,
            requested TEXT,
            due TEXT,
            started TEXT,
            finished TEXT,
            outcome TEXT,
            reason TEXT NOT NULL DEFAULT '',
            failures INTEGER NOT NULL DEFAULT 0,
            process TEXT
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE spent (
            day TEXT NOT NULL,
            budget TEXT NOT NULL,
            amount REAL NOT NULL,
            PRIMARY KEY (day, budget)
        ) STRICT, WITHOUT ROWID;
    """)


def m010_review(db: Database) -> None:
    """Adds what people said of names, and the indexes by which a screen pages through them."""
    db.executescript("""
        CREATE TABLE reviews (
            id INTEGER PRIMARY KEY,
            name_id INTEGER NOT NULL REFERENCES names (id),
            decision TEXT NOT NULL,
            reason TEXT NOT NULL,
            at TEXT NOT NULL
        ) STRICT;
        CREATE INDEX reviews_by_name ON reviews (name_id);
        ALTER TABLE names ADD COLUMN review TEXT;
        CREATE INDEX names_reviewed ON names (review) WHERE review IS NOT NULL;
        CREATE INDEX names_claimed ON names (claimed_at) WHERE claimed_at IS NOT NULL;
        DROP INDEX names_by_times_seen;
        DROP INDEX names_by_prompts;
        DROP INDEX names_by_first_seen;
        DROP INDEX names_by_last_seen;
        DROP INDEX names_by_name;
        -- DESC, so that the order of each, by number among equals, is the index's own.
        CREATE INDEX names_by_times_seen ON names (times_seen DESC);
        CREATE INDEX names_by_prompts ON names (prompts DESC);
        CREATE INDEX names_by_last_seen ON names (last_seen DESC);
        CREATE INDEX names_by_first_seen ON names (first_seen DESC);
        CREATE INDEX names_by_name ON names (name, review);
        CREATE INDEX sightings_by_sample ON sightings (sample_id);
        CREATE INDEX prompts_by_parent ON prompts (parent) WHERE parent IS NOT NULL;
        CREATE INDEX prompts_by_other_parent ON prompts (other_parent)
            WHERE other_parent IS NOT NULL;
    """)


def m011_causes(db: Database) -> None:
    """Adds to what was counted in logs why names are unknown, and which the prompt had named."""
    for column in ("local", "unmapped", "induced", "induced_real"):
        # 0 in what an older version counted: it didn't tell these apart.
        db.execute(f"ALTER TABLE ingest_counts ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")


# 0 in what an older version counted: it counted installers among the real names.
_ANSWERS: Final = "".join(
    f"ALTER TABLE ingest_counts ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0;"
    for column in ("installers", "inventing")
)


def m012_installers(db: Database) -> None:
    """Adds to what was counted in logs the names of installers, and answers that invent."""
    db.executescript(_ANSWERS)


STEPS: Final = (
    m001_line,
    m002_age_and_alarms,
    m003_discovery,
    m004_ingest,
    m005_repeatability,
    m006_published,
    m007_round_steps,
    m008_jobs,
    m010_review,
    m011_causes,
    m012_installers,
)
"""every step there is, in order; a database that has others is newer than this code"""

MIGRATIONS: Final = Migrations("ghostbust")
for _step in STEPS:
    MIGRATIONS()(_step)
