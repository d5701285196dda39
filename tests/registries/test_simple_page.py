"""What counts as a project's page, and what only looks like one."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ghostbust.registries.pypi import (
    HTML_TYPES,
    JSON_TYPES,
    ProjectPage,
    aware_time,
    is_file_of,
    read_page,
)
from ghostbust.registries.transport import NoAnswerError, Reply

VERSION_TAG = '<meta name="pypi:repository-version" content="1.0">'


def html(body: str, head: str = "") -> Reply:
    text = f"<!DOCTYPE html>\n<html><head>{head}</head><body>{body}</body></html>\n"
    return Reply(True, "https://index.example.test/simple/x/", "text/html", text.encode())


def document(changes: dict[str, object], kind: str = JSON_TYPES[0]) -> Reply:
    page = {"meta": {"api-version": "1.4"}, "name": "x", "files": [], **changes}
    return Reply(True, "https://index.example.test/simple/x/", kind, json.dumps(page).encode())


def test_json() -> None:
    files = [{"filename": "x-1.tar.gz", "upload-time": "2019-01-02T03:04:05.6Z"}, {}, 3]
    status = {"status": "some-new-status"}
    assert read_page("x", document({"files": files, "project-status": status})) == ProjectPage(
        3, "some-new-status", datetime(2019, 1, 2, 3, 4, 5, 600_000, UTC)
    )
    assert read_page("x", document({}, JSON_TYPES[1])) == ProjectPage(0, "active", None)


@pytest.mark.parametrize(
    "changes",
    [{"meta": None}, {"meta": {}}, {"meta": {"api-version": "2.0"}}, {"files": None},
     {"name": "y"}, {"name": None}],
)  # fmt: skip
def test_json_of_something_else(changes: dict[str, object]) -> None:
    with pytest.raises(NoAnswerError):
        read_page("x", document(changes))


def test_html_counts_the_projects_own_files() -> None:
    links = "".join(
        f'<a href="/f/{name}#sha256=00">{name}</a>'
        for name in ("x-1.0.tar.gz", "x-1.0-py3-none-any.whl", "y-1.0.tar.gz", "LICENSE")
    )
    assert read_page("x", html(links)) == ProjectPage(2, "active", None)


def test_html_without_a_file_needs_a_version_tag() -> None:
    with pytest.raises(NoAnswerError, match="version tag"):
        read_page("x", html("<h1>Links for x</h1>"))
    assert read_page("x", html("", VERSION_TAG)) == ProjectPage(0, "active", None)


def test_html_has_a_status_too() -> None:
    tags = VERSION_TAG + '<meta name="pypi:project-status" content="quarantined">'
    assert read_page("x", html("", tags)).status == "quarantined"


@pytest.mark.parametrize("kind", HTML_TYPES)
def test_html_that_is_cut(kind: str) -> None:
    whole = html('<a href="/f">x-1.0.tar.gz</a>')
    reply = Reply(True, whole.url, kind, whole.body)
    assert read_page("x", reply).files == 1
    for end in range(0, len(whole.body) - 2, 7):
        with pytest.raises(NoAnswerError):
            read_page("x", Reply(True, whole.url, kind, whole.body[:end]))


def test_html_of_a_version_that_is_not_known() -> None:
    with pytest.raises(NoAnswerError, match="version 1"):
        read_page("x", html("", VERSION_TAG.replace("1.0", "2.0")))


@pytest.mark.parametrize(
    ("filename", "theirs"),
    [
        ("zope.interface-5.0.tar.gz", True),
        ("zope_interface-5.0-cp39-cp39-win32.whl", True),
        ("zope.interface-5.0-py2.7-win-amd64.egg", True),
        ("zope.interface-5.0.win32-py2.7.exe", True),
        ("zope.interface-some.version.tar.bz2", True),
        ("zope.interface_extra-1.0.tar.gz", False),
        ("zope.interfaces-1.0.tar.gz", False),
        ("zope.interface", False),
        ("zope.interface.html", False),
        ("", False),
    ],
)
def test_whose_file_it_is(filename: str, theirs: bool) -> None:
    assert is_file_of("zope-interface", filename) is theirs


def test_times() -> None:
    assert aware_time("2020-01-02T03:04:05Z") == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert aware_time("2020-01-02T03:04:05") == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert [aware_time(told) for told in ("yesterday", "", None, 3)] == [None] * 4
