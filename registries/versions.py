"""Whether any version of a package is what a text asks for: ``requests==99.9.9``, ``serde@99``.

Only what plainly can't be had counts. A range that isn't read, a tag (``foo@next``), a version with
a local part (``torch==2.1.0+cu121``, which only other indexes hold) and a package whose
versions can't be read say nothing. Pre-releases and yanked versions count as versions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from ghostbust.records import Ecosystem, Judged, Lookup
from ghostbust.registries.names import VERSION_ABSENT

_COMPARATOR = re.compile(
    r"\s*(?P<sign>[\^~=<>]|<=|>=|)\s*v?(?P<release>\d+(?:\.\d+){0,2})(?P<any>(?:\.[*xX])*)"
    r"(?P<more>[-+][0-9A-Za-z.+-]+)?\s*"
)
_Release = tuple[int, int, int]


def with_version(judged: Judged, versions: Sequence[str] | None) -> Lookup:
    """The verdict on a registered name of which a version is wanted.

    ``versions``: all that there are; None where nobody answered.
    """
    lookup, wanted = judged.lookup, judged.ref.wanted
    if versions is None:
        said = f"whether there is a version {wanted} wasn't answered"
        return replace(lookup, evidence=f"{lookup.evidence}; {said}")
    if not lacks(lookup.ecosystem, wanted, versions):
        return lookup
    said = f"no version {wanted}, the newest is {newest(lookup.ecosystem, versions)}"
    return replace(lookup, reason=VERSION_ABSENT, evidence=f"{lookup.evidence}; {said}")


def with_newest(judged: Judged, newest_then: str, day: date) -> Lookup:
    """The verdict on a registered crate, by the newest version that it had on a day.

    Versions come more often than names. So the reason is ``version-absent`` only where all that is
    wanted leads the newest one by two major numbers or more. ``newest_then``: empty if not known.
    """
    lookup, wanted = judged.lookup, judged.ref.wanted
    if not _is_far_beyond(wanted, newest_then):
        return lookup
    said = f"no version {wanted}, the newest on {day} was {newest_then}"
    return replace(lookup, reason=VERSION_ABSENT, evidence=f"{lookup.evidence}; {said}")


def _is_far_beyond(wanted: str, newest_then: str) -> bool:
    release = _release(newest_then)
    parts = (_COMPARATOR.fullmatch(part) for part in wanted.split(","))
    lowest = [
        int(part["release"].partition(".")[0])
        for part in parts if part and part["sign"] not in ("<", "<=")
    ]  # fmt: skip
    return release is not None and max(lowest, default=0) >= release[0] + 2


def lacks(ecosystem: Ecosystem, wanted: str, versions: Sequence[str]) -> bool:
    """True where plainly none of the package's ``versions`` is ``wanted``; False where one is, and
    where nobody can tell."""
    if not wanted or not versions:
        return False
    if ecosystem is Ecosystem.PYPI:
        return _lacks_specifier(wanted, versions)
    return _lacks_range(wanted, versions, bare_is_caret=ecosystem is not Ecosystem.NPM)


def newest(ecosystem: Ecosystem, versions: Sequence[str]) -> str:
    """The newest of the versions that can be read, rather one that is no pre-release; or empty."""
    if ecosystem is Ecosystem.PYPI:
        read = [version for text in versions if (version := _version(text)) is not None]
        best = max((one for one in read if not one.is_prerelease), default=max(read, default=None))
        return str(best or "")
    known = [(release, text) for text in versions if (release := _release(text)) is not None]
    final = [pair for pair in known if "-" not in pair[1]]
    return max(final or known, default=((0, 0, 0), ""))[1]


def _lacks_specifier(wanted: str, versions: Sequence[str]) -> bool:
    """By PEP 440. Versions that it can't read are none for pip, either (since 24.1)."""
    try:
        specifiers = SpecifierSet(wanted)
    except InvalidSpecifier:
        return False
    if "+" in wanted or "===" in wanted:
        return False
    read = [version for text in versions if (version := _version(text)) is not None]
    return bool(read) and not any(specifiers.contains(one, prereleases=True) for one in read)


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


# Ranges of npm and cargo, as far as both mean the same by them. A bare version is ``^`` for cargo;
# for npm it is that version, or any that begins so. Sources: "Specifying Dependencies" in cargo's
# book; node-semver's README.


def _lacks_range(wanted: str, versions: Sequence[str], *, bare_is_caret: bool) -> bool:
    separator = "," if bare_is_caret else None
    tests = [_test(part, bare_is_caret=bare_is_caret) for part in wanted.split(separator)]
    if not bare_is_caret and len(tests) > 1:
        return False  # `>=1 <2`, `1 || 2`, `1 - 2`
    return not any(all(test is None or test(version) for test in tests) for version in versions)


def _test(part: str, *, bare_is_caret: bool) -> Callable[[str], bool] | None:
    """Whether a version is within a comparator; None for one that isn't read.

    A version that can't be read is within everything.
    """
    found = _COMPARATOR.fullmatch(part)
    if found is None:
        return None
    sign = found["sign"] or ("^" if bare_is_caret and not found["any"] else "=")
    parts = [int(number) for number in found["release"].split(".")]
    more = (found["more"] or "").partition("+")[0]
    if sign == "=" and len(parts) == 3:
        text = found["release"] + more
        return lambda version: _release(version) is None or _plain(version) == text
    low: _Release = (*parts, 0, 0, 0)[:3]  # type: ignore[assignment]
    match sign:
        case "<" | "<=" | ">" | ">=":
            return _beyond(sign, parts)
        case "^":
            fixed = next((n for n, number in enumerate(parts) if number), len(parts) - 1)
        case "~":
            fixed = min(len(parts), 2) - 1
        case _:
            fixed = len(parts) - 1
    head = low[: fixed + 1]
    return lambda version: (
        (at := _release(version)) is None or (at[: fixed + 1] == head and at >= low)
    )


def _beyond(sign: str, parts: Sequence[int]) -> Callable[[str], bool]:
    """Within ``>2``, ``<=1.4`` and the like; ``>1.4`` and ``<=1.4`` speak of all of 1.4."""
    low = tuple(parts)

    def test(version: str) -> bool:
        release = _release(version)
        if release is None:
            return True
        cut = release[: len(low)]
        # A pre-release counts as the version that it leads to: rather within than not.
        return {"<": cut <= low, "<=": cut <= low, ">": cut >= low, ">=": cut >= low}[sign]

    return test


def _plain(version: str) -> str:
    return version.partition("+")[0].removeprefix("v")


def _release(text: str) -> _Release | None:
    """The three numbers of a version; None for what is none."""
    numbers = _plain(text).partition("-")[0].split(".")
    if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
        return None
    major, minor, patch = map(int, numbers)
    return major, minor, patch
