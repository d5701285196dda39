"""What a method says of itself."""

from __future__ import annotations

import pytest

from ghostbust.unlearners.methods.au import au_loss
from ghostbust.unlearners.methods.interface import Method, Weights


@pytest.mark.parametrize(
    ("reference", "anchored", "anchor", "reads"),
    [
        (True, False, 0.0, True),
        (False, True, 0.0, False),
        (False, True, 0.5, True),
        (True, True, 0.0, True),
        (False, False, 0.5, False),
    ],
)
def test_the_base_is_asked_only_where_the_loss_reads_it(
    reference: bool, anchored: bool, anchor: float, reads: bool
) -> None:
    method = Method("a name", au_loss, reference=reference, anchored=anchored)
    assert method.reads_base(Weights(anchor=anchor)) is reads
