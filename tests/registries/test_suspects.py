"""Which registered names are suspect, by their summaries."""

from __future__ import annotations

import pytest

from ghostbust.records import Ecosystem, SuspectReason
from ghostbust.registries.names import canonical_name, is_valid_name
from ghostbust.registries.suspects import known_decoys, other_package, suspect_reason

REGISTERED = {"newname", "scikit-learn", "old", "the", "it", "my-lib"}


def reason(summary: str, *, ranked: bool = False) -> tuple[SuspectReason, str] | None:
    return suspect_reason(Ecosystem.PYPI, "old", summary, ranked=ranked, registered=REGISTERED)


@pytest.mark.parametrize(
    "summary",
    [
        "Placeholder",
        "A placeholder Python SDK package for Someone",
        "Name reservation for the whatever project",
        "Our great tool (placeholder, first release coming soon)",
        "Parked for upcoming work",
        "Reserved package used to prevent dependency confusion",
        "This is a dummy package.",
    ],
)
def test_placeholders(summary: str) -> None:
    assert reason(summary) == (SuspectReason.PLACEHOLDER, "")


@pytest.mark.parametrize(
    "summary",
    [
        "Fills {placeholder} fields in documents",
        "Generate placeholder images on the fly",
        "Lorem ipsum placeholder",
        "Find parking spaces near you",
        "Detects typo squatting and dependency confusion in lock files",
        "Use decorators instead of configuration",
        "DEPRECATED: no longer maintained",
        "[DEPRECATED] Don't use it anymore",
        "Renamed to something-nobody-registered",
        "An HTTP client",
    ],
)
def test_real_packages_that_use_the_words(summary: str) -> None:
    assert reason(summary) is None


@pytest.mark.parametrize(
    "summary",
    [
        "Deprecated: use newname instead",
        "This package has been renamed to NewName. Install that.",
        "DEPRECATED - use 'newname'",
        "Please run pip install newname",
        "Dummy package for the New (newname)",
        "Superseded by `newname`[extra]",
        "Deprecated alias for newname - installs it",
    ],
)
def test_decoys_say_which_package_they_point_to(summary: str) -> None:
    assert reason(summary) == (SuspectReason.DECOY, "newname")


def test_a_placeholder_keeps_the_package_it_points_to() -> None:
    assert reason("Placeholder. Install my_lib instead.") == (SuspectReason.PLACEHOLDER, "my-lib")


def test_popular_packages_are_not_suspect_for_a_word() -> None:
    for summary in ("Placeholder", "Deprecated: use newname instead", "Dummy package"):
        assert reason(summary, ranked=True) is None


def test_squats_and_holds_are_suspect_even_if_popular() -> None:
    squat, hold = "Benign slopsquatting research package", "Security holding package"
    assert reason(squat, ranked=True) == (SuspectReason.RESEARCH_SQUAT, "")
    assert reason(hold, ranked=True) == (SuspectReason.SECURITY_HOLDING, "")


@pytest.mark.parametrize(
    "summary", ["Use old instead", "Use the instead", "Use ghr/newname instead"]
)
def test_no_pointer_to_itself_to_a_word_or_to_a_path(summary: str) -> None:
    assert other_package(Ecosystem.PYPI, "old", summary, REGISTERED) is None


def test_known_decoys_are_canonical_and_differ_from_their_targets() -> None:
    decoys = known_decoys(Ecosystem.PYPI)
    assert decoys["sklearn"] == "scikit-learn"
    assert decoys["pytorch"] == "torch"
    for name, other in decoys.items():
        for one in (name, other):
            assert is_valid_name(Ecosystem.PYPI, one)
            assert canonical_name(Ecosystem.PYPI, one) == one
        assert name != other
    assert not decoys.keys() & set(decoys.values())


def test_no_table_no_decoys() -> None:
    assert known_decoys(Ecosystem.NPM) == {}
