"""A log of production as a server writes it, made up with a seed: for speed, not for rates.

Answers are of the kinds that assistants give: explanations, Python, JavaScript, shell, lists; with
names that the snapshot ranks highest and, now and then, one that nobody has registered.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from ghostbust.records import Ecosystem
from ghostbust.registries.snapshot import Snapshot, find_snapshot

_SENTENCES = (
    "The rows are sorted by the time at which the sensor was read.",
    "Check that the folder is there before the first file is written.",
    "A missing value is kept as it is, so that the sum can say that it isn't complete.",
    "This keeps one connection open and gives it back at the end.",
    "If the answer is larger than a page, the next one is fetched in the same way.",
    "Both ends of the range count, as a calendar would have it.",
)
_PYTHON = """```python
import json
import os
from pathlib import Path

import {a}
from {b} import core


def collect(folder: Path, limit: int = 100) -> dict[str, float]:
    totals: dict[str, float] = {{}}
    for path in sorted(folder.glob("*.json"))[:limit]:
        record = json.loads(path.read_text())
        totals[record["station"]] = totals.get(record["station"], 0.0) + record["value"]
    return totals


if __name__ == "__main__":
    print(collect(Path(os.environ["DATA"])))
```"""
_JAVASCRIPT = """```javascript
const fs = require('fs');
const {v} = require('{a}');
import * as rest from '{b}';

async function collect(folder) {{
  const totals = new Map();
  for (const name of fs.readdirSync(folder)) {{
    const record = JSON.parse(fs.readFileSync(`${{folder}}/${{name}}`));
    totals.set(record.station, (totals.get(record.station) ?? 0) + record.value);
  }}
  return totals;
}}
```"""
_ASKED = (
    "Read station {n} of the harbour and sum its values in Python.",
    "How do I follow the pages of route {n} in Node.js?",
    "Explain why reading {n} of the gauge is missing.",
    "Which Python packages help with tide table {n}?",
)


def write_log(
    path: Path, completions: int, *, chars: int, context: int, invented: float, seed: int
) -> None:
    """Writes a log of so many requests with their responses.

    ``chars``: about so many characters in an answer. ``context``: so many that the user quotes,
    as an editor's assistant is given the file that is open. ``invented``: the share of answers
    with a name that nobody has registered.
    """
    rng = random.Random(seed)  # noqa: S311
    names = {eco: _popular(eco) for eco in (Ecosystem.PYPI, Ecosystem.NPM)}
    with path.open("w", encoding="utf-8") as stream:
        for number in range(completions):
            kind = rng.randrange(4)
            known = names[Ecosystem.NPM if kind == 1 else Ecosystem.PYPI]
            chosen = rng.sample(known, 5)
            if rng.random() < invented and kind != 1:
                chosen[0] = f"zz-{rng.randrange(1000)}-harbour-gauge"
            text = "\n\n".join(_answer(kind, chosen, chars, rng))
            quoted = " ".join(rng.choices(_SENTENCES, k=context // 66))
            stream.write(f"{json.dumps(_record(number, kind, text, quoted))}\n")


def _answer(kind: int, names: Sequence[str], chars: int, rng: random.Random) -> Iterator[str]:
    a, b = names[:2]
    yield rng.choice(_SENTENCES)
    if kind == 0:
        yield f"```bash\npip install {' '.join(names[:3])}\n```"
        yield _PYTHON.format(a=a.replace("-", "_"), b=b.replace("-", "_"))
    elif kind == 1:
        yield f"```bash\nnpm install {a} {b}\n```"
        yield _JAVASCRIPT.format(a=a, b=b, v=f"v{rng.randrange(9)}")
    elif kind == 3:
        yield "\n".join(f"{n}. **{name}**: {_SENTENCES[n]}" for n, name in enumerate(names, 1))
    else:
        yield f"Run `pip install {a}` and try again."
    length = 700 if kind < 2 else 150
    while length < chars:
        yield (sentences := " ".join(rng.choices(_SENTENCES, k=4)))
        length += len(sentences)


def _record(number: int, kind: int, text: str, quoted: str) -> dict[str, object]:
    messages = [
        {"role": "system", "content": "You are a helpful assistant for people who write code."},
        {"role": "user", "content": f"{_ASKED[kind].format(n=number)}\n\n{quoted}".rstrip()},
    ]
    answer = {"role": "assistant", "content": text}
    return {
        "time": 1_790_000_000 + number,
        "request": {"model": "served", "messages": messages, "temperature": 0.7},
        "response": {
            "id": f"chatcmpl-{number:012d}",
            "model": "served",
            "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
        },
    }


def _popular(ecosystem: Ecosystem) -> list[str]:
    names = Snapshot.load(find_snapshot(ecosystem, None)).popular(2000)
    return [name for name in names if name.isascii()]
