"""The corpus format gives spans, names and flags; scores say what is found, missed, false, near."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.evaluation.extraction import (
    ALL,
    CorpusScore,
    Expected,
    Snippet,
    Tally,
    find_all,
    read_corpus,
    score,
    snippets_of,
)
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

CORPUS = """
======== one
import «a1»
import «b1|other»
pip install «+c1»
======== two expect-list
- «*d1»
"""
SNIPPETS = list(snippets_of(CORPUS, "python"))
FLAGGED = frozenset({Flag.OPTIONAL})


def one(text: str) -> Snippet:
    (snippet,) = snippets_of(text, "group")
    return snippet


def marks(text: str, options: str = "") -> list[Expected]:
    return list(one(f"======== id {options}\n{text}\n").expected)


def test_marks_are_cut_out_and_spans_fit_the_text() -> None:
    snippet = one("======== id\né🎉 «a-b» and\n«+c»\n")
    assert snippet.text == "é🎉 a-b and\nc"
    assert [snippet.text[item.start : item.end] for item in snippet.expected] == ["a-b", "c"]
    assert [(item.start, item.end) for item in snippet.expected] == [(3, 6), (11, 12)]


@pytest.mark.parametrize(
    ("mark", "kind"),
    [
        ("«x»", RefKind.IMPORT),
        ("«!x»", RefKind.IMPORT),
        ("«+x»", RefKind.INSTALL),
        ("«*x»", RefKind.LIST),
        ("«=x»", RefKind.MANIFEST),
    ],
)
def test_kinds(mark: str, kind: RefKind) -> None:
    assert [item.kind for item in marks(mark)] == [kind]
    assert marks("«x»", "kind=list")[0].kind is RefKind.LIST


@pytest.mark.parametrize(
    ("mark", "name", "module", "flags"),
    [
        ("«Flask_Cors»", "flask-cors", None, set()),
        ("«cv2|opencv-python»", "opencv-python", None, set()),
        ("«google|? optional»", None, None, {"optional"}),
        ("«a|b module=a.c truncated optional»", "b", "a.c", {"truncated", "optional"}),
        ("«npm:JSONStream»", "JSONStream", None, set()),
        ("«npm:+@a/b»", "@a/b", None, set()),
    ],
)
def test_what_a_mark_says(mark: str, name: str | None, module: str | None, flags: set[str]) -> None:
    (item,) = marks(mark)
    assert (item.name, item.module, set(item.flags)) == (name, module, flags)


def test_ecosystems() -> None:
    items = marks("«a» «pypi:b» «conda:+c»", "ecosystem=npm")
    assert [item.ecosystem for item in items] == ["npm", "pypi", "conda"]


def test_options_of_a_snippet_and_of_the_file() -> None:
    text = (
        "A comment.\ndefaults: language=python expect-list\n"
        "======== one\na\n\n======== two language=shell truncated all prompt=Use a = b\nb\n"
    )
    first, second = snippets_of(text, "g")
    assert (first.id, first.language, first.expect_list, first.text) == ("one", "python", True, "a")
    assert (second.language, second.truncated, second.builtins) == ("shell", True, True)
    assert (first.prompt, second.prompt) == ("", "Use a = b")


def test_crlf() -> None:
    snippet = one("======== id crlf\na\n«b»\n")
    assert snippet.text == "a\r\nb"
    assert snippet.expected[0].start == 3


@pytest.mark.parametrize(
    "text",
    [
        "======== id langauge=python\nx\n",
        "======== id language=cobol\nx\n",
        "======== id ecosystem=gems\nx\n",
        "======== id sometimes\nx\n",
        "======== id\n«open\n",
        "======== id\n«a|b c»\n",
        "======== id\n«»\n",
    ],
)
def test_what_is_not_well_formed(text: str) -> None:
    with pytest.raises(UsageError, match="id"):
        list(snippets_of(text, "g"))


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "shell-b.txt").write_text("======== two\nx\n")
    (tmp_path / "python.txt").write_text("======== one\nx\n")
    (tmp_path / "notes.md").write_text("no corpus")
    found = [(snippet.id, snippet.group) for snippet in read_corpus(tmp_path)]
    assert found == [("one", "python"), ("two", "shell")]
    assert [snippet.id for snippet in read_corpus(tmp_path / "python.txt")] == ["one"]


def test_what_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no snippet"):
        read_corpus(tmp_path)
    with pytest.raises(UsageError, match="can't be read"):
        read_corpus(tmp_path / "missing.txt")
    (tmp_path / "a.txt").write_bytes(b"======== one\n\xff\n")
    with pytest.raises(UsageError, match="can't be read"):
        read_corpus(tmp_path)
    (tmp_path / "a.txt").write_text("======== one\nx\n======== one\ny\n")
    with pytest.raises(UsageError, match="two snippets are called one"):
        read_corpus(tmp_path)


def ref(text: str, raw: str, kind: RefKind = RefKind.IMPORT, **said: object) -> PackageRef:
    start = text.index(raw)
    name = said.get("name", raw)
    flags = said.get("flags", frozenset())
    assert name is None or isinstance(name, str)
    assert isinstance(flags, frozenset)
    return PackageRef(Ecosystem.PYPI, kind, raw, start, start + len(raw), name, flags=flags)


def scored(find: Callable[[str], list[PackageRef]]) -> CorpusScore:
    return score(SNIPPETS[:1], lambda snippet: find(snippet.text))


def whats(result: CorpusScore) -> list[tuple[str, str]]:
    return [(item.what, item.raw) for item in result.disagreements]


def test_all_right() -> None:
    result = scored(
        lambda text: [
            ref(text, "a1"), ref(text, "b1", name="other"), ref(text, "c1", RefKind.INSTALL),
        ]
    )  # fmt: skip
    assert result.tally() == Tally(expected=3, given=3, found=3, near=0, named=3, flagged=3)
    assert result.tally("python", "import").expected == 2
    assert (result.tally().f1, result.disagreements) == (1.0, [])


def test_a_miss_and_a_false_alarm() -> None:
    result = scored(lambda text: [ref(text, "a1"), ref(text, "install", RefKind.INSTALL)])
    tally = result.tally()
    assert (tally.precision, tally.recall, tally.exact_spans) == (1 / 2, 1 / 3, 1.0)
    assert whats(result) == [("missed", "b1"), ("missed", "c1"), ("false-alarm", "install")]


def test_a_wrong_span_is_near_and_both_a_miss_and_a_false_alarm() -> None:
    result = scored(lambda text: [ref(text, "a1\n")])
    assert result.tally() == Tally(expected=3, given=1, found=0, near=1)
    assert result.tally().exact_spans == 0.0


def test_a_wrong_kind_is_no_near_miss() -> None:
    result = scored(lambda text: [ref(text, "c1", RefKind.IMPORT)])
    assert (result.tally().found, result.tally().near) == (0, 0)
    assert result.tally("python", "import").given == 1


def test_names_and_flags_are_counted_apart() -> None:
    result = scored(lambda text: [ref(text, "a1", flags=FLAGGED), ref(text, "b1")])
    tally = result.tally()
    assert (tally.found, tally.named, tally.flagged) == (2, 1, 1)
    assert whats(result)[:2] == [("flags", "a1"), ("name", "b1")]


def test_nothing_to_count_is_no_rate() -> None:
    tally = score([]).tally()
    assert tally == Tally()
    assert all(math.isnan(rate) for rate in (tally.precision, tally.recall, tally.f1))


def test_groups_and_kinds_add_up() -> None:
    result = score(SNIPPETS, lambda snippet: [])
    assert result.snippets == {"python": 2}
    assert result.tally(ALL, "list").expected == 1
    assert result.tally("python", ALL).expected == 4


def found(header: str, text: str) -> list[str]:
    (snippet,) = snippets_of(f"======== x {header}\n{text}\n", "g")
    assert isinstance(snippet, Snippet)
    return [found.raw for found in find_all(snippet)]


def test_the_extractor_is_called_as_the_snippet_says() -> None:
    assert found("", "- httpx") == []
    assert found("expect-list", "- httpx") == ["httpx"]
    assert found("language=shell", "pip install then") == ["then"]
    assert found("language=python", "import os, httpx") == ["httpx"]
    assert found("language=python all", "import os, httpx") == ["os", "httpx"]


def test_a_listed_built_in_is_no_built_in_import() -> None:
    assert found("expect-list", "- os\n- httpx") == ["os", "httpx"]
