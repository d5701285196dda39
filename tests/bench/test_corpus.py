"""The corpus format: marks are cut out, and give spans, names and flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.bench.corpus import Expected, Snippet, read_corpus, snippets_of
from ghostbust.errors import UsageError
from ghostbust.records import RefKind


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
        "======== id ecosystem=cargo\nx\n",
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
