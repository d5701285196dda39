"""Roots that code uses and nothing binds, and the many ways in which code binds one."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from types import ModuleType

import pytest

from ghostbust.answer_faults import faults_of, faults_of_form, undefined_roots
from ghostbust.records import Answer, Context, Ecosystem, Prompt, Sample
from ghostbust.undefined_roots import python_roots


def answer_of(
    text: str,
    *,
    truncated: bool = False,
    ecosystem: Ecosystem = Ecosystem.PYPI,
    context: Context = Context.CODE,
) -> Answer:
    prompt = Prompt("ask", context, ecosystem, "family")
    sample = Sample(prompt, text, "model", None, 0, 0, 0.7, truncated=truncated, tokens=1)
    return Answer(sample, ())


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("x = np.array([1])", {"np"}),
        ("import numpy\nx = np.array([1])", {"np"}),
        ("import matplotlib.pyplot as plt\nmatplotlib.use('Agg')", {"matplotlib"}),
        ("def f(html):\n    return BeautifulSoup(html).text", {"BeautifulSoup"}),
        ("def f(x: pd.DataFrame) -> None: ...", {"pd"}),
        ("import os.path\nprint(os.sep)", set()),
        (
            "try:\n    import ujson as json\nexcept ImportError as e:\n    e.x()\njson.dumps(1)",
            set(),
        ),
        ("def f(a, *b, c=1, **d):\n    a.x; b.x; c.x; d.x; e = a; e.x()", set()),
        ("for i, (j, k) in z:\n    i.x; j.x; k.x\n[m.x for m in z]\nwith z as n:\n    n.x", set()),
        (
            "match z:\n    case [a, *b]:\n        a.x; b.x\n    case {'k': c, **d}:\n        d.x",
            set(),
        ),
        ("def f():\n    global client\n    return client.get()", set()),
        ("from math import *\nanything.at(all())", set()),
        ("main()\n\n\ndef main(): ...", set()),
        ("convert.py | names", set()),  # a command
        ("names[0]\nprint(names)", set()),  # neither an attribute nor a call: not looked at
    ],
)
def test_python(code: str, found: set[str]) -> None:
    answer = answer_of(f"Do this:\n```python\n{code}\n```\n")
    assert undefined_roots(answer) == found
    assert faults_of(answer) == (("undefined",) if found else ())
    assert faults_of_form(answer) == ()


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("axios.get(url)", {"axios"}),
        ("const app = express()", {"express"}),
        ("new Redis()", {"Redis"}),
        ("const { get: a, b = 1, ...c } = z, [d, [e]] = z\na.x; b.x; c.x; d.x; e.x", set()),
        ("import x, { y as q } from 'm'\nimport * as s from 'n'\nx(); q(); s.t()", set()),
        ("const f = async (a, { b }, ...c) => { a.x(b.y, c.z) }\nconst g = h => h.x", set()),
        ("try { f() } catch (err) { console.log(err.message) }\nfunction f() {}", set()),
        ("for (const row of z) row.x()\nlater = require('m')\nlater.x()", set()),
        ("class A { m() { return new A().m(process.env, JSON.x, fetch('u')) } }", set()),
    ],
)
def test_javascript(code: str, found: set[str]) -> None:
    for label in ("js", "ts"):
        text = f"```{label}\n{code}\n```\n"
        assert undefined_roots(answer_of(text, ecosystem=Ecosystem.NPM)) == found


def test_typescript_of_its_own() -> None:
    text = (
        "```ts\nimport fs = require('fs')\nenum A { b }\nnamespace C { }\n"
        "function f(this: Q, d: R, e?: S) { fs.x(A.b, C.y, d.z, e.z) }\n```\n"
    )
    assert undefined_roots(answer_of(text, ecosystem=Ecosystem.NPM)) == set()


def test_all_blocks_of_an_answer_are_one_program() -> None:
    first, second = "```python\nimport numpy as np\n```\n", "```python\nnp.array([1])\n```\n"
    assert undefined_roots(answer_of(first + second)) == set()
    assert undefined_roots(answer_of(second)) == {"np"}
    shell = "```bash\nimport numpy as np\n```\n"
    assert undefined_roots(answer_of(shell + second)) == {"np"}


def test_code_that_was_cut_off() -> None:
    """What follows the cut may define what a function calls, but hardly the modules it uses."""
    code = "```python\ndef main():\n    data = load()\n    np.sum(data)\n\nmain()\nstart(\n    1,"
    assert undefined_roots(answer_of(code, truncated=True)) == {"np"}
    code = "```js\nfunction main() { load(); lodash.map(x, () => go()) }\nstart({ a: 1,\n b"
    answer = answer_of(code, truncated=True, ecosystem=Ecosystem.NPM)
    assert undefined_roots(answer) == {"lodash", "start"}


def test_what_is_not_looked_at() -> None:
    broken = "```python\nx = = np.array()\n```\n```python\npd.read()\n```\n"
    assert faults_of(answer_of(broken)) == ("malformed",)
    used = "1. np.array\n```python\nnp.array()\n```\n"
    assert undefined_roots(answer_of(used, context=Context.HELPS)) == set()


@pytest.mark.parametrize("module", [ast, dataclasses, inspect])
def test_real_modules_have_none(module: ModuleType) -> None:
    assert python_roots([(ast.parse(inspect.getsource(module)), True)]) == set()
