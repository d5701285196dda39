"""The table of installers is consistent with itself."""

from __future__ import annotations

from ghostbust.extractors.installers import INDEX_OPTIONS, PROGRAMS, TOOLS
from ghostbust.records import Ecosystem


def test_every_program_belongs_to_one_tool() -> None:
    programs = [program for tool in TOOLS for program in tool.programs]
    assert len(programs) == len(set(programs)) == len(PROGRAMS)


def test_an_option_adds_packages_or_replaces_them() -> None:
    for tool in TOOLS:
        for form in tool.forms:
            assert form.adding.isdisjoint(form.replacing)
        assert tool.elsewhere <= tool.values


def test_every_ecosystem_has_its_index_options() -> None:
    assert set(INDEX_OPTIONS) == set(Ecosystem) == {tool.ecosystem for tool in TOOLS}
