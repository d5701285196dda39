"""Which names may follow at a place: the well-known ones, spelt as people spell them."""

from __future__ import annotations

import pytest

from ghostbust.guard.names import KnownNames, KnownPlace
from ghostbust.records import Ecosystem, PackageRef, RefKind
from ghostbust.registries.judge import Mode, default_judge


def place(kind: RefKind, ecosystem: Ecosystem = Ecosystem.PYPI) -> KnownPlace:
    names = KnownNames(default_judge(Mode.SNAPSHOT).snapshots)
    found = names.place(PackageRef(ecosystem, kind, "x", 0, 1, "x"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("kind", "text", "may"),
    [
        (RefKind.INSTALL, " requ", True),
        (RefKind.INSTALL, " requests\n", True),
        (RefKind.INSTALL, " requests==2.0", True),
        (RefKind.INSTALL, " reque\n", False),
        (RefKind.INSTALL, " requests-of-nobody", False),
        (RefKind.INSTALL, "\nrequests", False),
        (RefKind.LIST, "`Scikit_Learn`", True),
        (RefKind.LIST, "**NumPy**:", True),
        (RefKind.LIST, "`scikit-lEaRn`", False),
        (RefKind.LIST, "`", True),
        (RefKind.LIST, "", True),
        (RefKind.IMPORT, " PIL\n", True),
        (RefKind.IMPORT, " pil\n", False),
        (RefKind.IMPORT, " os.path", True),
        (RefKind.IMPORT, " sklearn.svm import", True),
        (RefKind.IMPORT, " scikit-learn", False),
        (RefKind.IMPORT, " zq_no_such", False),
    ],
)
def test_only_known_names_may_follow(kind: RefKind, text: str, may: bool) -> None:
    assert place(kind).may_follow(text) is may


def test_a_name_is_written_when_something_follows() -> None:
    asked = place(RefKind.INSTALL)
    assert [asked.is_written(text) for text in (" ", " numpy", " numpy\n", "`numpy`")] == [
        False, False, True, True,
    ]  # fmt: skip


def test_npm_names_keep_their_scope() -> None:
    asked = place(RefKind.INSTALL, Ecosystem.NPM)
    assert asked.may_follow("@babel/core ")
    assert not asked.may_follow("@babel/zq-no-such ")


def test_no_place_is_known_where_no_names_are() -> None:
    names = KnownNames({})
    assert names.place(PackageRef(Ecosystem.CARGO, RefKind.INSTALL, "x", 0, 1, "x")) is None
