"""Install commands in rows of words, and the table of tools."""

from __future__ import annotations

import pytest

from ghostbust.extractors.install_commands import TOOLS, Tool, installs
from ghostbust.extractors.shell_words import Word, prose_words


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.program)
@pytest.mark.parametrize("prose", [True, False])
def test_every_tool_and_verb(tool: Tool, prose: bool) -> None:
    for verb in tool.verbs:
        text = " ".join((tool.program, *verb, "left-pad", "rich"))
        refs = list(installs(prose_words(text, 0, len(text)), prose=prose))
        assert [ref.raw for ref in refs] == ["left-pad", "rich"]
        assert {ref.ecosystem for ref in refs} == {tool.ecosystem}


def test_words_without_a_place_are_passed_over() -> None:
    text = "pip install"
    words = [*prose_words(text, 0, len(text)), Word("", ())]
    assert list(installs(words, prose=False)) == []


def test_prose_stops_where_a_script_goes_on() -> None:
    text = "pip install a1 then b1"
    words = prose_words(text, 0, len(text))
    assert [ref.raw for ref in installs(words, prose=True)] == ["a1"]
    assert [ref.raw for ref in installs(words, prose=False)] == ["a1", "then", "b1"]
