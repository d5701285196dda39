"""Lists in prose: what counts as an item and what doesn't."""

from __future__ import annotations

import pytest

from ghostbust.extractors.lists import ListExtractor
from ghostbust.records import Ecosystem, RefKind

ITEMS = [
    ("### 1. Requests\nIt asks.\n\n### 2. Celery\nIt runs.", ["Requests", "Celery"]),
    ("### 1. Install\nDo it.\n\n### 2. Configure it all\nThen.", []),
    ("### 1. Celery\n- rich\n\n### 2. Setup\n- tox\n", ["rich", "tox"]),
    ("Package: numpy\nPackage: scipy", ["numpy", "scipy"]),
    ("Package 1: numpy\n**Package 2:** scipy - maths", ["numpy", "scipy"]),
    ("Library: numpy\nPurpose: arrays\nLibrary: scipy\nPurpose: maths", ["numpy", "scipy"]),
    ("Answer:\n    fastapi\n    uvicorn", ["fastapi", "uvicorn"]),
    ("Answer:\n    x = fastapi()", []),
    ("- fastapi:\n    quick", ["fastapi"]),
    ("**Answer:** pygame", ["pygame"]),
    ("Answer: Absolutely.", []),
    ("- uvloop; optional\n- httptools; parses faster", ["uvloop", "httptools"]),
    ("1. **Forms**\n   - formik\n   - yup\n2. **Data**\n   - axios", ["formik", "yup", "axios"]),
    ("1. **Django**\n   - Fast\n2. **Flask**\n   - Small", ["Django", "Fast", "Flask", "Small"]),
    ("- Third-party: httpx, respx\n- Standard library: json", ["Third-party"]),
    ("- Third-party: httpx, respx\n- Standard library: json, re", ["httpx", "respx", "json", "re"]),
    ("- Payments: stripe, braintree", ["Payments"]),
    ("The only package required is `pyserial`.", ["pyserial"]),
    ("The code requires only `httpx`.", ["httpx"]),
    ("You only have to install `networkx`; the rest is there.", ["networkx"]),
    ("To build this, install `rich` and `typer`.", ["rich", "typer"]),
    ("You need these:\n`rich` (colours), `typer` (commands)", ["rich", "typer"]),
    ("The packages are scrapy, twisted and parsel.", ["scrapy", "twisted", "parsel"]),
    ("You'd need rich and rich-click.", ["rich", "rich-click"]),
    ("Use the `rich` and `typer` packages.", ["rich", "typer"]),
    ("`rich` and `typer` are required.", ["rich", "typer"]),
    ("`requests` is a library that asks.", []),
    ("The `requests` library is popular.", []),
    ("You need to call `connect` before `send`.", []),
    ("The library has a method `fit` and a method `predict`.", []),
    ("The package's methods are `get` and `post`.", []),
    ("It requires `API_KEY` and `TOKEN`.", []),
    ("You need patience, time and luck.", []),
    ("Run pip install `rich`.", []),
    ("Python packages are powerful, flexible and fast.", []),
    ("**1. requests**\nDoes HTTP.\n\n**2. Flask**: web", ["requests", "Flask"]),
    ("### **1. requests**\n### 2. **numpy**", ["requests", "numpy"]),
    ("1. requests v2.31\n2. numpy 1.26", ["requests", "numpy"]),
    ("requests v2\nnumpy v1", ["requests", "numpy"]),
    ("- Node.js v18\n- CUDA 12.1\n- numpy 1.26", ["numpy"]),
    ("<ul><li>requests</li><li><b>numpy</b>: arrays</li></ul>", ["requests", "numpy"]),
    ("-requests\n-numpy: arrays", ["requests", "numpy"]),
    ("Q: What?\nA: requests, numpy\n\nQ: And?\nA: rich", ["requests", "numpy", "rich"]),
    ("Q: What?\nA: You need `requests` and `numpy`.", ["requests", "numpy"]),
    ("Answer: You need `requests`.", ["requests"]),
    ("Q: What?\nA: Absolutely.\nA: It depends.", []),
    (
        "requests → HTTP\nnumpy = arrays of numbers\nrich | text\nlxml … XML",
        ["requests", "numpy", "rich", "lxml"],
    ),
    ("- requests", ["requests"]),
    ("* requests\n+ numpy\n• rich\n– httpx", ["requests", "numpy", "rich", "httpx"]),
    ("1. requests\n12. numpy\n(3) rich\n4) httpx", ["requests", "numpy", "rich", "httpx"]),
    ("12.requests", ["requests"]),
    ("   - requests\n      - numpy", ["requests", "numpy"]),
    ("- `requests`", ["requests"]),
    ("- **requests**", ["requests"]),
    ("- **`requests`**: HTTP", ["requests"]),
    ("- `**requests**`", ["requests"]),
    ("1. **requests:** HTTP", ["requests"]),
    ("- **requests** - HTTP", ["requests"]),
    ("- *requests* is good", ["requests"]),
    ("- [requests](docs.example.test): HTTP", ["requests"]),
    ("- [`requests`](docs.example.test)", ["requests"]),
    ("- requests: HTTP for people", ["requests"]),
    ("- requests - HTTP", ["requests"]),
    ("- requests – HTTP", ["requests"]),
    ("- requests — HTTP", ["requests"]),
    ("- requests (HTTP)", ["requests"]),
    ("- requests==2.31\n- numpy >= 1.2\n- `rich>=13`", ["requests", "numpy", "rich"]),
    ("- uvicorn[standard]\n- httpx[http2]: client", ["uvicorn", "httpx"]),
    ("- `requests` for web pages", ["requests"]),
    ("- ` PIL.Image`", ["PIL.Image"]),
    ("- `cut (Python", ["cut"]),
    ("- **cut", ["cut"]),
    ("- requests,\n- numpy.\n- rich;", ["requests", "numpy", "rich"]),
    ("- mine-1.0.2\n- x-1.0", ["mine", "x"]),
    ("1. PyPI: requests", ["requests"]),
    ("- Package: requests", ["requests"]),
    ("- `pip` (the installer)\n- pip", ["pip", "pip"]),
    ("- discord.py\n- ruamel.yaml", ["discord.py", "ruamel.yaml"]),
    ("- setuptools\n- getmac\n- q2", ["setuptools", "getmac", "q2"]),
    ("requests\nnumpy\npandas", ["requests", "numpy", "pandas"]),
    ("requests\n\nnumpy", ["requests", "numpy"]),
    ("requests", ["requests"]),
    ("Here they are:\n\nrequests", ["requests"]),
    ("Here they are:\n\nrequests\n\nThat is all you need.", ["requests"]),
    ("requests: HTTP\nnumpy: arrays", ["requests", "numpy"]),
    ("requests - HTTP\nnumpy - arrays", ["requests", "numpy"]),
    ("requests==1\nnumpy==2", ["requests", "numpy"]),
    ("**requests**\n**numpy**", ["requests", "numpy"]),
    ("requests, numpy, pandas", ["requests", "numpy", "pandas"]),
    ("requests, numpy and pandas.", ["requests", "numpy", "pandas"]),
    ("requests, numpy, and pandas", ["requests", "numpy", "pandas"]),
    ("`requests`, `numpy`", ["requests", "numpy"]),
    ('["requests", "numpy"]', ["requests", "numpy"]),
    ("You need these packages: requests, numpy", ["requests", "numpy"]),
    ("Packages: requests, numpy", ["requests", "numpy"]),
    ("- requests, numpy", ["requests", "numpy"]),
    ("- Data handling: pandas, numpy", ["pandas", "numpy"]),
    ("1. requests\n   - Description: HTTP\n   - Link: docs", ["requests"]),
    ("1. requests\n   - Language: Python\n   - numpy: arrays", ["requests", "numpy"]),
    ("- Plotting: matplotlib, bokeh", ["matplotlib", "bokeh"]),
    ("**Web:** flask, gunicorn", ["flask", "gunicorn"]),
    ("Testing: pytest, tox", ["pytest", "tox"]),
    ("1. **HTML parser**: `lxml`", ["lxml"]),
    ("1. **Parser**: `lxml`", ["lxml"]),
    ("- requests: `get`", ["requests"]),
    ("requests; numpy", ["requests", "numpy"]),
    ("requests, numpy,", ["requests", "numpy"]),
    ("Text first.\n\n**requests**\n\nIt does HTTP.\n\n**Note**\n\nMore.", ["requests"]),
    ("- requests ⭐⭐⭐", ["requests"]),
    ("1. numpy\n2. requests-", ["numpy", "requests"]),
    ("You need `requests` and `numpy`.", ["requests", "numpy"]),
    ("This requires `requests`.", ["requests"]),
    ("### 1. requests\n### 2. `Flask`", ["requests", "Flask"]),
    ("✅ requests\n👉 **numpy**: arrays", ["requests", "numpy"]),
    ("1️⃣ requests\na) numpy", ["requests", "numpy"]),
    ("- [ ] requests\n- [x] numpy", ["requests", "numpy"]),
    ("> requests\n> numpy", ["requests", "numpy"]),
    ("| Package | Use |\n|---|---|\n| `requests` | HTTP |", ["requests"]),
    ("| Packages |\n|---|\n| requests, numpy |", ["requests", "numpy"]),
    ("- `first`\n- then==1", ["first", "then"]),
]

NO_ITEMS = [
    "You should use requests for this.",
    "- Install Python first",
    "- You need the requests library",
    "1. Beautiful Soup: a parser",
    "1. Python 2.7 and above:",
    "- requests for web pages",
    "- `requests.get()`",
    "1. asyncio.sleep(1) for waiting",
    "- https://example.test/x",
    "- ./local.py",
    "- requirements.txt",
    "- `pip install requests`",
    "- PyLem: `pip install pyml`",
    "- PyPI\n- Python\n- `python3`",
    "- your-package\n- package_name",
    "- 3.11\n- 42",
    "- PyPI: the index of packages",
    "1. CUDA 18\n2. NVIDIA Toolkit",
    "`pip freeze -user`\n\nJust one line.",
    "# requests",
    "## requests\n### numpy",
    "Output:",
    "Task: write some code",
    "Task: write\nNote: more",
    "Yes, certainly",
    "First, numpy",
    "Formats: RGB, HSV",
    "Some words, more words, numpy",
    "That is it.\n\nrequests\n\nis a good one",
    "    result",
    "- [ ] todo",
    "- None\n- pass\n- True",
    "- first\n- then",
    "- Total: 42",
    "- main.py\n- app.py",
    "Prerequisites:",
    "### 1. Setup",
    "You need to set `debug`.",
    "To use `pip` and `venv`, read on.",
    "| Step | Do |\n|---|---|\n| one | two |",
    "- License: `MIT`",
    "-",
    "1.",
    "- ``",
    "- **",
    "",
]


LANGUAGES = [
    ("Les paquets utilisés par ce code sont `flask` et `redis`.", ["flask", "redis"]),
    ("Die benötigten Pakete sind `flask` und `redis`.", ["flask", "redis"]),
    ("Du musst `flask` und `redis` installieren.", ["flask", "redis"]),
    ("Los paquetes son flask, celery y redis.", ["flask", "celery", "redis"]),
    ("需要安装的库是 `flask` 和 `redis`。", ["flask", "redis"]),
    ("Benötigte Pakete: a1, b1 und c1.", ["a1", "b1", "c1"]),
    ("Los paquetes necesarios son: a1, b1 y c1.", ["a1", "b1", "c1"]),
    ("Paquets nécessaires : a1, b1 et c1.", ["a1", "b1", "c1"]),
    ("需要安装的库：a1、b1和c1。", ["a1", "b1", "c1"]),
    ("1. 数据处理：a1、b1", ["a1", "b1"]),
    ("1、a1\n2、b1", ["a1", "b1"]),
    ("- a1，很快\n- b1，很小", ["a1", "b1"]),
    ("Vorteile: schnell, einfach, stabil", []),
    ("The packages are a1, b1, c and d.", ["a1", "b1", "c", "d"]),
    ("This needs httpx, anyio and h2.", ["httpx", "anyio", "h2"]),
    ("- rich\n\nThe packages are fast, well-tested and small.", ["rich"]),
    ("It is fast, small and h2.", []),
    ("You need patience, time and luck.", []),
    ("- a1\n\nVorteile:\n- schnell\n- einfach", ["a1"]),
    ("- a1\n\nVorteile:\n- `b1`\n- c1: mehr", ["a1", "b1", "c1"]),
    ("- a1\nImportant: optional\nGracias", ["a1"]),
    ("- a1\n\nMerci\nSalut", ["a1"]),
    ("Hilfsmittel\n- a1\n- b1", ["a1", "b1"]),
    ("a1\nLizenz: MIT\n\nb1\nLizenz: BSD", ["a1", "b1"]),
    ("Flask: web\nDjango: web", ["Flask", "Django"]),
    ("Flask\nDjango", ["Flask", "Django"]),
    ("Flask\n\n- web", ["Flask", "web"]),
]


@pytest.mark.parametrize(("text", "names"), LANGUAGES)
def test_items_in_several_languages(text: str, names: list[str]) -> None:
    refs = list(ListExtractor(Ecosystem.PYPI).find(text, 0))
    assert [ref.raw for ref in refs] == names


@pytest.mark.parametrize(("text", "names"), ITEMS)
def test_items(text: str, names: list[str]) -> None:
    refs = list(ListExtractor(Ecosystem.PYPI).find(text, 4))
    assert [ref.raw for ref in refs] == names
    assert [text[ref.start - 4 : ref.end - 4] for ref in refs] == names
    assert all(ref.kind is RefKind.LIST for ref in refs)


@pytest.mark.parametrize("text", NO_ITEMS)
def test_no_items(text: str) -> None:
    assert list(ListExtractor(Ecosystem.PYPI).find(text, 0)) == []


def test_number_is_no_part_of_the_name() -> None:
    (ref,) = ListExtractor(Ecosystem.PYPI).find("12. requests", 0)
    assert (ref.start, ref.end, ref.name) == (4, 12, "requests")


def test_standard_library_module_in_a_list_is_builtin() -> None:
    refs = ListExtractor(Ecosystem.PYPI).find("- os\n- Flask", 0)
    assert [(ref.name, ref.builtin) for ref in refs] == [("os", True), ("flask", False)]


def test_repeated_items_are_all_found() -> None:
    assert len(list(ListExtractor(Ecosystem.PYPI).find("- loop\n" * 20, 0))) == 20


def test_next_is_a_framework_in_a_list_for_npm_only() -> None:
    text = "- next\n- Next"
    assert [ref.raw for ref in ListExtractor(Ecosystem.NPM).find(text, 0)] == ["next"]
    assert list(ListExtractor(Ecosystem.PYPI).find(text, 0)) == []


@pytest.mark.parametrize(
    "mark", [",", ";", "|", "、", " and", "和", " " * 9, ", and " * 3, " : a", "` and `"]
)
def test_a_long_line_is_read_in_linear_time(mark: str) -> None:
    text = "| Package |\n|---|\n" + f" a{mark}" * 100_000
    assert len(list(ListExtractor(Ecosystem.PYPI).find(text, 0))) in (0, 100_000)


def test_npm_names() -> None:
    text = "- @types/node: it\n- lodash\n1. JSONStream"
    refs = list(ListExtractor(Ecosystem.NPM).find(text, 0))
    assert [(ref.raw, ref.name) for ref in refs] == [
        ("@types/node", "@types/node"),
        ("lodash", "lodash"),
        ("JSONStream", "JSONStream"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("requests\nnumpy==1.2\n\n- rich", True),
        ("requests\nimport os", False),
        ("x = 1", False),
        ("", False),
    ],
)
def test_is_bare_list(text: str, expected: bool) -> None:
    assert ListExtractor(Ecosystem.PYPI).is_bare_list(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- requests\n- numpy", True),
        ("packages:\n  - requests\n  - numpy==1", True),
        ("1. requests\n2. numpy", True),
        ("requests\nnumpy", False),
        ("- requests: HTTP", False),
        ("- uses: actions/checkout\n- run: make", False),
        ("jobs:\n  - requests", False),
        ("- requests\nx: 1", False),
        ("packages:", False),
        ("", False),
    ],
)
def test_is_marked_list(text: str, expected: bool) -> None:
    assert ListExtractor(Ecosystem.PYPI).is_marked_list(text) is expected
