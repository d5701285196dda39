"""Rounding of weights: exact cases, and bounds of the error."""

from __future__ import annotations

import pytest
import torch

from ghostbust.errors import ModelError
from ghostbust.evaluation.persistence import SCHEMES, Scheme, quantise, rounded
from ghostbust.models.load import LoadedModel

INT8, INT4, INT4_64 = SCHEMES


def test_a_group_of_a_known_scale_is_as_computed_by_hand() -> None:
    weight = torch.tensor([[7.0, -3.4, 0.4, 3.6], [0.7, -0.34, 0.04, 0.36]])  # steps 1 and 0.1
    told = rounded(weight, Scheme("by row", 4, None))
    torch.testing.assert_close(told, torch.tensor([[7.0, -3, 0, 4], [0.7, -0.3, 0, 0.4]]))


def test_each_group_has_a_scale_of_its_own() -> None:
    weight = torch.tensor([[7.0, 1.4, 0.07, 0.014, 0.0]])  # the last group has one weight: 0
    told = rounded(weight, Scheme("by two", 4, 2))
    torch.testing.assert_close(told, torch.tensor([[7.0, 1, 0.07, 0.01, 0]]))


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_no_weight_is_off_by_more_than_half_a_step(scheme: Scheme) -> None:
    weight = torch.randn(8, 100, generator=torch.Generator().manual_seed(0))
    told = rounded(weight, scheme)
    size = scheme.group or 100
    for start in range(0, 100, size):
        part = weight[:, start : start + size]
        half = part.abs().amax(-1, keepdim=True) / scheme.levels / 2  # (O, 1)
        off = (told[:, start : start + size] - part).abs()
        assert (off <= half * (1 + 1e-5)).all()
        assert (off.amax(-1) > 0).all()  # and it was rounded at all
    assert torch.unique(told[0, : scheme.group]).numel() <= 2 * scheme.levels + 1
    torch.testing.assert_close(rounded(told, scheme), told)  # once rounded, it stays


def test_fewer_bits_and_larger_groups_lose_more() -> None:
    weight = torch.randn(16, 256, generator=torch.Generator().manual_seed(0))
    off = [float((rounded(weight, scheme) - weight).norm()) for scheme in (INT8, INT4, INT4_64)]
    assert off[0] < off[1] / 5
    assert off[1] < off[2]


def test_the_type_is_kept_and_broken_weights_stay_broken() -> None:
    assert rounded(torch.ones(2, 4, dtype=torch.bfloat16), INT8).dtype is torch.bfloat16
    assert rounded(torch.tensor([[1.0, float("nan")]]), INT8).isnan().all()


def test_a_models_matrices_are_rounded_and_nothing_else(tiny: LoadedModel) -> None:
    before = {name: p.clone() for name, p in tiny.model.named_parameters()}
    note = quantise(tiny.model, INT4)
    changed = {n for n, p in tiny.model.named_parameters() if not torch.equal(p, before[n])}
    assert changed == {name for name in before if "_proj" in name}
    assert len(changed) == 14
    assert note.startswith("14 matrices, off by ")


def test_a_model_without_matrices_is_refused(tiny: LoadedModel) -> None:
    tiny.model.model.layers = torch.nn.ModuleList()
    with pytest.raises(ModelError, match="no linear layers"):
        quantise(tiny.model, INT8)
