"""A listener that says nothing is one, too."""

from __future__ import annotations

import pytest

from ghostbust.loop.signals import Listener, Silence


def test_silence_hears_everything_and_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    listener: Listener = Silence()
    listener.begin("train")
    listener.advance(1, 2)
    listener.step(1, 2, 0.5)
    assert capfd.readouterr() == ("", "")
