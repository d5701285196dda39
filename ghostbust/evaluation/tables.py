"""The figures of behaviour as tables, one for each question."""

from __future__ import annotations

from collections.abc import Callable

from ghostbust.evaluation.counting import BINS
from ghostbust.evaluation.figures import AGAIN, BASE, LEAST_OVERLAP, VOLUME_BAND, Behaviour, Figures
from ghostbust.evaluation.report import Table

Row = dict[str, object]

YARDSTICK = f"'{AGAIN}' is the base with another seed: what chance alone does."
UNKNOWN = (
    "Unknown names are in no rate; local: an import of a module that the answer shows; unmapped: of"
    " one that no distribution is known for."
)
SHOWN = {"truncated": "cut off"}


def behaviour_tables(found: Behaviour) -> tuple[Table, ...]:
    """The summary first, then rates, of new names and those of the prompt apart, volume, overlap
    and faults.
    """
    made = [
        _summary(found),
        _table(found, "rates", _rates, YARDSTICK, "A drop is 1 - rate / the base's.", UNKNOWN),
        _table(
            found,
            "new names",
            _new_names,
            "Without the names that the adapter was trained to forget, on either side.",
        ),
        _table(
            found,
            "names of the prompt",
            _induced,
            "Inventions that the prompt named first, and all others; drops are per answer.",
        ),
        _table(found, "volume", _volume, "Real names, each once an answer."),
        _table(
            found,
            "list lengths",
            _lengths,
            "Share of the answers with so many real names; the distance is the total variation.",
        ),
        _table(
            found,
            "overlap",
            _overlap,
            "Dice: answers to the same prompt. Common: names in all answers together. Ratios are "
            "to the base's overlap with itself.",
        ),
        _table(found, "faults", _faults, "Share of the answers."),
        _table(found, "more faults", _more_faults, "Share of the answers minus the base's."),
    ]
    return tuple(table for table in made if table.rows)


def _summary(found: Behaviour) -> Table:
    rows: list[Row] = []
    for temperature in found.temperatures:
        for one in found.of(temperature).values():
            change, shared = one.change, one.overlap
            objections = () if one.arm == BASE else found.objections(one.arm, temperature)
            rows.append(
                {
                    "model": one.arm,
                    "temperature": temperature,
                    "rate": one.rate,
                    "drop": change and change.drop,
                    "volume ratio": change and change.volume_ratio,
                    "overlap ratio": shared and shared.ratio,
                    "objections": "; ".join(objections),
                }
            )
    low, high = VOLUME_BAND
    note = (
        f"Objected to, where the whole interval lies beyond it: a volume outside of {low:g} to "
        f"{high:g}, an overlap under {LEAST_OVERLAP:g}, more faults, other list lengths than "
        "the base again, half the drop on new names."
    )
    return Table("summary", tuple(rows), (YARDSTICK, note))


def _table(
    found: Behaviour, title: str, row: Callable[[Figures], Row | None], *notes: str
) -> Table:
    rows = [(one, row(one)) for one in found.figures]
    return Table(title, tuple(_key(one) | made for one, made in rows if made), notes)


def _key(one: Figures) -> Row:
    return {"model": one.arm, "temperature": one.temperature, "context": one.context}


def _rates(one: Figures) -> Row:
    return {
        "rate": one.rate,
        "drop": one.change and one.change.drop,
        "rate per answer": one.answer_rate,
        "drop per answer": one.change and one.change.answer_drop,
        "names": one.names,
        "unknown": one.unknown,
        "local": one.local,
        "unmapped": one.unmapped,
        "answers": one.answers,
    }


def _new_names(one: Figures) -> Row | None:
    new = one.new_names
    if new is None:
        return None
    return {
        "share of the base's inventions": new.share,
        "base's rate": new.base_rate,
        "rate": new.rate,
        "drop": new.drop,
    }


def _induced(one: Figures) -> Row:
    return {
        "share of the inventions": one.induced.share,
        "drop": one.induced.drop,
        "drop of the others": one.induced.other_drop,
    }


def _volume(one: Figures) -> Row:
    return {"volume": one.volume, "ratio": one.change and one.change.volume_ratio}


def _lengths(one: Figures) -> Row:
    return {
        **dict(zip(BINS, one.lengths, strict=True)),
        "distance": one.change and one.change.length_distance,
    }


def _overlap(one: Figures) -> Row | None:
    shared = one.overlap
    if shared is None:
        return None
    return {
        "dice": shared.dice,
        "ratio": shared.ratio,
        "own ratio": shared.own_ratio,
        "common": shared.common,
        "common ratio": shared.common_ratio,
    }


def _faults(one: Figures) -> Row:
    return {SHOWN.get(name, name): share for name, share in one.faults.items()}


def _more_faults(one: Figures) -> Row | None:
    if one.change is None:
        return None
    return {SHOWN.get(name, name): more for name, more in one.change.faults.items()}
