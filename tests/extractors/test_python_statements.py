"""Logical lines of code that doesn't parse."""

from __future__ import annotations

import warnings

import pytest

from ghostbust.extractors.python import parse, parsed_pieces, statements_of, texts_in


@pytest.mark.parametrize(
    ("code", "statements"),
    [
        ("a\n\nb", ["a", "b"]),
        ("f(\n1,\n)\nb", ["f(\n1,\n)", "b"]),
        ("a = '''\nx\n'''\nb", ["a = '''\nx\n'''", "b"]),
        ("a \\\n+ b\nc", ["a \\\n+ b", "c"]),
        ("a = '(' # (\nb", ["a = '(' # (", "b"]),
        ("# only\nb", ["b"]),
        ("f(\nimport x\nb", ["f(", "import x", "b"]),
        ("f(\nfrom x import y", ["f(", "from x import y"]),
        ("(yield\nfrom x)", ["(yield\nfrom x)"]),
        ("    a\n  b", ["a", "b"]),
        ("'''open\na", ["'''open\na"]),
        ("", []),
    ],
)
def test_statements(code: str, statements: list[str]) -> None:
    assert [code[s.start : s.end] for s in statements_of(code)] == statements


def test_indent_counts_columns() -> None:
    assert [s.indent for s in statements_of("a\n  b\n\n    c")] == [0, 2, 4]


@pytest.mark.parametrize("source", ["x = (", "a\0b", "\ud800", "(" * 1000])
def test_parse_returns_none(source: str) -> None:
    assert parse(source) is None


def test_parse_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse("x = '\\d' if 1 is 1 else 0") is not None


def test_pieces_know_where_they_start() -> None:
    code = "x = (\nif y: import a\n"
    (piece,) = parsed_pieces(code)
    assert code[piece.start :].startswith("import a")


def test_guards_are_the_headers_around() -> None:
    code = "try:\n    if x:\n        import a\nexcept ImportError:\n    pass\n)"
    (piece,) = parsed_pieces(code)
    assert piece.guards == ("if x:", "try:", "except ImportError:")


def test_many_indented_imports_take_time_in_proportion() -> None:
    code = "if x:\n" + "    import a\n" * 20_000 + ")"
    pieces = list(parsed_pieces(code))
    assert len(pieces) == 20_000
    assert {piece.guards for piece in pieces} == {("if x:",)}


@pytest.mark.parametrize(
    ("code", "pieces"),
    [
        ("x = (; import a; from b import c; 1", ["import a", "from b import c"]),
        ("x = 'so: import no'; import a; (", ["import a"]),
        ("y = __import__('a', fromlist=[", ["__import__('a', fromlist=["]),
        ("x = (1 # so: import no", []),
    ],
)
def test_pieces_of_one_broken_line(code: str, pieces: list[str]) -> None:
    assert [piece.source for piece in parsed_pieces(code)] == pieces


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ("x = 'a' # b\ny = \"#c\"", ["'a'", "# b", '"#c"']),
        ('"""a\n# b\n"""', ['"""a\n# b\n"""']),
        ("x = 1", []),
        ("", []),
    ],
)
def test_texts_in_code(code: str, texts: list[str]) -> None:
    assert [code[start:end] for start, end in texts_in(code)] == texts
