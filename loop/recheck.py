"""RECHECK: invented names are looked up again. One that is registered now was likely squatted."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Final

import stamina

from ghostbust import http
from ghostbust.config import Config
from ghostbust.errors import RegistryError, UsageError
from ghostbust.home import Home
from ghostbust.loop.child import leashed
from ghostbust.loop.session import Session
from ghostbust.measure import measure
from ghostbust.records import Answer, Ecosystem, Lookup, Measurement, SuspectReason, Verdict
from ghostbust.registries.interface import Origin
from ghostbust.registries.judge import Judge, Mode, default_judge
from ghostbust.registries.live import trusted
from ghostbust.registries.names import canonical_name, purl
from ghostbust.registries.transport import USER_AGENT
from ghostbust.safe_path import for_users_program
from ghostbust.sections import AlarmSection
from ghostbust.store.names import Alarm, Decision
from ghostbust.store.store import Store
from ghostbust.text import redact

if TYPE_CHECKING:
    from ghostbust.records import Ecosystem
    from ghostbust.store.prompts import PoolPrompt
    from ghostbust.store.store import Store


# --- rescoring
# RESCORE: a past run's package refs, judged by snapshots of another day. Changes nothing.

_ONLY_LIVE = (
    SuspectReason.YOUNGER_THAN_MODEL,
    SuspectReason.QUARANTINED,
    SuspectReason.NO_RELEASES,
)
"""reasons that a live registry gives, and a snapshot can't, or not always"""


@dataclass(frozen=True, slots=True)
class Change:
    """A name whose verdict is another one now."""

    then: Lookup
    now: Lookup
    answers: int
    """answers of the run in which it is"""


@dataclass(frozen=True, slots=True)
class Rescored:
    """A run's figures as it was judged, and as it is judged now, of the same answers."""

    then: Measurement
    now: Measurement
    changes: tuple[Change, ...]
    """those in most answers first"""
    left_out: int
    """answers of the run whose texts weren't kept, so that they are in neither figure"""
    only_live: int
    """names whose verdict rested on what a live registry told and a snapshot doesn't hold"""


def rescore(store: Store, run_id: int, judge: Judge) -> Rescored:
    """The run's logged refs, as the extractor of its day found them, judged by ``judge``.

    A name that was absent then and is in a later snapshot is `claimed`, as in a recheck: it
    never counts as cured. Raises StoreError where there is no such run.
    """
    seed = store.runs.get(run_id).spec.seed
    then = list(store.answers.read(run_id=run_id))
    now = list(_judged_again(then, judge))
    return Rescored(
        measure(then, seed=seed),
        measure(now, seed=seed),
        _changes(then, now),
        len(store.answers.sampled_keys(run_id)) - len(then),
        len({
            (j.lookup.ecosystem, j.lookup.name)
            for answer in then
            for j in answer.judged
            if j.lookup.source == "live" and j.lookup.reason in _ONLY_LIVE
        }),
    )  # fmt: skip


def _judged_again(answers: Sequence[Answer], judge: Judge) -> Iterator[Answer]:
    """The answers with today's verdicts; a name is looked up once for all of them."""
    verdicts = iter(judge.refs([one.ref for answer in answers for one in answer.judged]))
    for answer in answers:
        judged = ((one, next(verdicts)) for one in answer.judged)
        yield replace(
            answer,
            judged=tuple(
                replace(new, lookup=_never_cured(old.lookup, new.lookup)) for old, new in judged
            ),
        )


def _never_cured(then: Lookup, now: Lookup) -> Lookup:
    """The new verdict, but SUSPECT for what was absent and has been registered since."""
    if then.verdict is not Verdict.ABSENT or now.verdict is not Verdict.REAL:
        return now
    if now.looked_up_at <= then.looked_up_at:
        return now
    evidence = f"{now.evidence}; absent on {then.looked_up_at:%Y-%m-%d}"
    return replace(now, verdict=Verdict.SUSPECT, reason=SuspectReason.CLAIMED, evidence=evidence)


def _changes(then: Sequence[Answer], now: Sequence[Answer]) -> tuple[Change, ...]:
    """The changed verdicts, each with the answers that it is in."""
    seen: dict[tuple[object, ...], set[int]] = defaultdict(set)
    pairs: dict[tuple[object, ...], tuple[Lookup, Lookup]] = {}
    for number, (before, after) in enumerate(zip(then, now, strict=True)):
        for old, new in zip(before.judged, after.judged, strict=True):
            a, b = old.lookup, new.lookup
            if a.verdict is not b.verdict:
                key = (a.ecosystem, a.name, a.verdict, a.reason, b.verdict, b.reason)
                pairs.setdefault(key, (a, b))
                seen[key].add(number)
    changes = [Change(*pairs[key], len(numbers)) for key, numbers in seen.items()]
    return tuple(sorted(changes, key=lambda change: (-change.answers, change.now.name)))


# --- delivery
# Handing a JSON document to a webhook or to a program. Both say what went wrong, or nothing.

LONGEST_WAIT_S: Final = 10.0
"""between two attempts at a webhook"""


def post(
    url: str,
    body: bytes,
    *,
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
    attempts: int = 1,
    wait_s: float = 0.5,
) -> str:
    """Posts the document; what went wrong, without the address, which may hold a secret, or empty.

    Asks again, so many times in all, where that may help; ``wait_s`` is before the second attempt,
    doubled each time. ``timeout_s`` is for an attempt as a whole, up to the answer's status: what
    else the webhook says isn't read. Raises ConfigError for certificates that can't be used.
    """
    sent = {"Content-Type": "application/json", "User-Agent": USER_AGENT, **(headers or {})}
    try:
        for attempt in stamina.retry_context(
            on=_again, attempts=attempts, timeout=None,
            wait_initial=wait_s, wait_max=LONGEST_WAIT_S, wait_jitter=wait_s,
        ):  # fmt: skip
            with attempt:
                answer = http.ask(
                    "POST", url, content=body, headers=sent, total_s=timeout_s, max_bytes=None,
                    verify=trusted(),
                )  # fmt: skip
                answer.raise_for_status()
    except http.StatusError as exc:
        return f"the webhook answered HTTP {exc.response.status_code}"
    except http.ERRORS as exc:
        return f"the webhook can't be reached ({type(exc).__name__})"
    return ""


def run(command: Sequence[str], body: bytes, *, timeout_s: float) -> str:
    """Gives the document to the program; what went wrong, else empty. No shell is involved.

    It doesn't outlive this process, nor its time: then all that is left of its process group ends.
    """
    if shutil.which(command[0]) is None:
        return f"the program {command[0]} failed (FileNotFoundError)"
    try:
        program = subprocess.Popen(
            leashed([*command]),
            stdin=subprocess.PIPE,
            env={**os.environ, **for_users_program()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as exc:
        return f"the program {command[0]} failed ({type(exc).__name__})"
    with program:
        try:
            program.communicate(body, timeout_s)
        except (OSError, subprocess.TimeoutExpired) as exc:
            return f"the program {command[0]} failed ({type(exc).__name__})"
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)
    return f"the program {command[0]} ended with {program.returncode}" if program.returncode else ""


def _again(exc: Exception) -> bool:
    if isinstance(exc, http.StatusError):
        return http.may_pass(exc.response.status_code)
    return isinstance(exc, http.TransportError)


# --- alarms
# Telling of claimed names: the webhook and the program of the settings.
#
# The alarm is in the store before anybody is told, and stays untold there until it reached one of
# them, so that a webhook that was down gets it later: the daemon tries every few minutes.

log = logging.getLogger(__name__)

_TELLING: Final = threading.Lock()
"""held by the thread of this process that sends, so that no alarm is sent twice"""


def tell_alarms(store: Store, settings: AlarmSection) -> int:
    """Tells of every alarm that nobody has heard of; how many reached somebody.

    One that can't be told is a warning in the log, without the webhook's address, which may hold
    a secret.
    """
    if settings.webhook is None and not settings.command:
        return 0
    reached = 0
    with _TELLING:
        for alarm in store.alarms.untold():
            if told := _tell(alarm, settings):
                store.alarms.mark_told(alarm.id, told)
                reached += 1
    return reached


def described(alarm: Alarm) -> dict[str, object]:
    """What is told of an alarm; JSON values only."""
    first = alarm.first_released
    return {
        "event": "claimed",
        "ecosystem": str(alarm.ecosystem),
        "name": alarm.name,
        "purl": purl(alarm.ecosystem, alarm.name),
        "claimed_at": alarm.at.isoformat(),
        "first_released": None if first is None else first.isoformat(),
        "uploader": alarm.uploader,
        "evidence": alarm.evidence,
        "times_seen": alarm.times_seen,
    }


def _tell(alarm: Alarm, settings: AlarmSection) -> list[str]:
    """Whom the alarm has reached."""
    body, told = json.dumps(described(alarm)).encode(), []
    wrong: dict[str, str] = {}
    if settings.webhook is not None:
        wrong["webhook"] = post(settings.webhook, body, timeout_s=settings.timeout_s)
    if settings.command:
        wrong["command"] = run(settings.command, body, timeout_s=settings.timeout_s)
    for way, said in wrong.items():
        if said:
            log.warning("alarm: %s", said)
        else:
            told.append(way)
    return told


AT_ONCE: Final = 20
"""names between two looks whether to stop; a few seconds at the registries' rate limit"""
MOST: Final = 500
"""names in one recheck; the others are due first the next time"""


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What a recheck found."""

    verdicts: tuple[Lookup, ...]
    told: int
    """alarms that reached somebody, older ones included"""

    @property
    def claimed(self) -> list[Lookup]:
        """The names that are registered now."""
        return [lookup for lookup in self.verdicts if is_registered(lookup)]

    @property
    def unknown(self) -> list[Lookup]:
        """The names that could not be asked for."""
        return [lookup for lookup in self.verdicts if lookup.verdict is Verdict.UNKNOWN]


def recheck_due(
    session: Session,
    *,
    before: datetime,
    most: int = MOST,
    at_portion: Callable[[], None] = lambda: None,
) -> Rechecked:
    """Rechecks, in portions, what no registry was asked about since ``before``; then tells of it.

    Ends after ``most`` names, or with the portion in which one could not be asked for.
    ``at_portion`` is called before each portion, and may raise.
    """
    verdicts: list[Lookup] = []
    while len(verdicts) < most:
        at_portion()
        limit = min(AT_ONCE, most - len(verdicts))
        found = recheck(session.store, session.judge, before=before, limit=limit)
        verdicts += found
        if len(found) < limit or any(lookup.verdict is Verdict.UNKNOWN for lookup in found):
            break
    return Rechecked(tuple(verdicts), tell_alarms(session.store, session.config.alarm))


def recheck(store: Store, judge: Judge, *, before: datetime, limit: int) -> list[Lookup]:
    """Today's verdict on invented names that no registry was asked about since ``before``.

    At most ``limit`` names, those never asked about first. A name that is registered now is
    marked `claimed` in the ledger, with an alarm that says by whom and since when: it stays an
    invention and never counts as cured. UNKNOWN changes nothing, so the name comes again next
    time.

    Raises UsageError for a judge that isn't live: a snapshot that says "no" is not asked again.
    """
    if judge.mode is not Mode.LIVE:
        raise UsageError(
            f"in mode {judge.mode} nobody can tell which names were registered since; ask live"
        )
    verdicts = []
    for ecosystem, names in _by_ecosystem(store.ledger.recheck_names(before, limit)).items():
        for lookup in judge.names(ecosystem, names).values():
            verdicts.append(lookup)
            note(store, judge, lookup)
    return verdicts


def note(store: Store, judge: Judge, lookup: Lookup) -> None:
    """Notes what a live registry says of an invented name; UNKNOWN changes nothing."""
    if lookup.verdict is Verdict.UNKNOWN:
        return
    if is_registered(lookup):
        origin = _origin(judge, lookup)
        store.ledger.mark_claimed(
            lookup.ecosystem,
            lookup.name,
            lookup.looked_up_at,
            first_released=origin.first_released,
            uploader=origin.uploader,
            evidence=origin.evidence,
        )
    # Also what needed no asking, such as an impossible name: it would stay due for ever.
    store.lookups.put_lookup(lookup)


def _origin(judge: Judge, lookup: Lookup) -> Origin:
    """Who published it and when; what the look-up told where the registry doesn't tell more."""
    try:
        return judge.origin(lookup.ecosystem, lookup.name)
    except RegistryError:
        return Origin(lookup.first_released, "", lookup.evidence)


def is_registered(lookup: Lookup) -> bool:
    """True where the registry holds the name, whatever is behind it."""
    return lookup.verdict in (Verdict.REAL, Verdict.SUSPECT)


def _by_ecosystem(names: Iterable[tuple[Ecosystem, str]]) -> dict[Ecosystem, list[str]]:
    groups: dict[Ecosystem, list[str]] = {}
    for ecosystem, name in names:
        groups.setdefault(ecosystem, []).append(name)
    return groups


# --- reviewing
# REVIEW: what a person says of an invented name, and a look at the registry for one name.


def decide(store: Store, ecosystem: Ecosystem, name: str, decision: Decision, reason: str) -> str:
    """Notes the decision with its reason; one line on what follows from it.

    Raises UsageError without a reason, StoreError for a name that isn't in the ledger.
    """
    if not reason.strip():
        raise UsageError("a decision needs a reason, which is kept")
    store.reviews.add(ecosystem, name, decision, reason.strip())
    return {
        Decision.ACCEPT: "noted as invented",
        Decision.IGNORE: "not listed any more, unless asked for",
        Decision.ALLOW: "allowed: checks pass it over, and no round trains on it",
        Decision.REOPEN: "open again",
    }[decision]


def open_fresh_judge(home: Home) -> Judge:
    """A judge that asks the live registries, whatever was answered a while ago. To be closed."""
    return default_judge(Mode.LIVE, cache=None, data_dir=home.registry, npm_project=home.path)


def look_up(store: Store, judge: Judge, config: Config, ecosystem: Ecosystem, name: str) -> Lookup:
    """What the live registry says of the name now; one that is registered is an alarm.

    Raises UsageError for a name that isn't in the ledger.
    """
    if not store.ledger.known(ecosystem, [name]):
        raise UsageError(f"the ledger has no name {name!r} of {ecosystem}")
    lookup = judge.names(ecosystem, [name])[name]
    note(store, judge, lookup)
    tell_alarms(store, config.alarm)
    return lookup


# --- redacting
# Texts as they are printed and exported: without what a squatter could register.

_WORD: Final = re.compile(r"@?\w(?:[\w./-]*\w)?")
_END: Final = re.compile(r"[./]")


def redacted_texts(store: Store, prompts: Iterable[PoolPrompt]) -> dict[str, str]:
    """The text of each prompt that has one, by id, every invented name of the ledger redacted.

    A prompt may quote an answer's code, or have been made from a name. A word counts as a name
    where it is one, or begins with one before a ``.`` or ``/``, in any of a name's spellings; not
    where ghostbust's own forms and tasks use it, which are public.
    """
    return {
        prompt.prompt_id: redacted_text(store, prompt.text, prompt.ecosystem)
        for prompt in prompts
        if prompt.text is not None
    }


def redacted_text(store: Store, text: str, ecosystem: Ecosystem, also: Iterable[str] = ()) -> str:
    """The text with every invented name of the ledger redacted, and ``also``, as written."""
    spelled = {
        raw: name for raw, name in _spellings(text, ecosystem) if raw.lower() not in _public_words()
    }
    invented = store.ledger.known(ecosystem, spelled.values())
    hide = {raw for raw, name in spelled.items() if name in invented} | set(also)
    return _redacted(text, hide) if hide else text


@cache
def _public_words() -> frozenset[str]:
    """The words of the shipped forms and tasks, in lower case."""
    from ghostbust.prompts import FORMS, seed_tasks

    texts = [form for forms in FORMS.values() for form in forms]
    texts += [task.text for task in seed_tasks()]
    return frozenset(match[0].lower() for text in texts for match in _WORD.finditer(text))


def _spellings(text: str, ecosystem: Ecosystem) -> Iterator[tuple[str, str]]:
    """Every part of the text that could be a name, as written, and its canonical form."""
    for match in _WORD.finditer(text):
        for raw in _heads(match[0]):
            yield raw, canonical_name(ecosystem, raw)


def _heads(word: str) -> list[str]:
    """The word and what of it stands before each ``.`` or ``/``, the longest first."""
    return [word, *(word[: end.start()] for end in reversed(list(_END.finditer(word))))]


def _redacted(text: str, hide: set[str]) -> str:
    def shown(match: re.Match[str]) -> str:
        word = match[0]
        head = next((head for head in _heads(word) if head in hide), None)
        return word if head is None else redact(head) + word[len(head) :]

    return _WORD.sub(shown, text)
