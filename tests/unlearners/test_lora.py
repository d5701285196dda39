"""The adapter's product in place: peft's own figures, in the base's precision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from ghostbust.models.load import LoadedModel, load_model, peft_warnings_silenced
from ghostbust.unlearners.data import compute_in_place
from ghostbust.unlearners.engine import add_adapter
from ghostbust.unlearners.settings import TrainSettings

IDS = torch.tensor([[40, 41, 42, 43], [50, 51, 52, 53]])


class Two(nn.Module):
    """Two layers, the second adapted layer's input needs a gradient."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one = nn.Linear(24, 40, dtype=dtype)
        self.two = nn.Linear(40, 8, bias=False, dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.two(torch.nn.functional.silu(self.one(x)))
        return result


def adapted(dtype: torch.dtype, *, in_place: bool) -> nn.Module:
    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=12, target_modules=["one", "two"], init_lora_weights=False)
    model = get_peft_model(Two(dtype), config)
    if in_place:
        compute_in_place(model)
    made: nn.Module = model
    return made


def passed(model: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Result and gradients of the adapter, and of the input."""
    x = x.clone().requires_grad_()
    result = model(x)
    (result.float() ** 2).sum().backward()
    assert x.grad is not None
    grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return result.detach(), grads | {"input": x.grad}


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-5), (torch.float32, 1e-5), (torch.bfloat16, 0.03)]
)
@pytest.mark.parametrize("shape", [(5, 24), (2, 3, 24)])
def test_result_and_gradients_are_those_of_peft(
    dtype: torch.dtype, tolerance: float, shape: tuple[int, ...]
) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2)).to(dtype)
    theirs, their_grads = passed(adapted(dtype, in_place=False), x)
    ours, grads = passed(adapted(dtype, in_place=True), x)
    assert ours.dtype is theirs.dtype is dtype
    assert (ours - theirs).float().norm() <= tolerance * theirs.float().norm()
    assert grads.keys() == their_grads.keys()
    assert len(grads) == 5
    for name, grad in grads.items():
        assert grad.dtype == their_grads[name].dtype, name
        assert (grad - their_grads[name]).float().norm() <= tolerance * grad.float().norm(), name


@pytest.mark.usefixtures("bfloat16")
def test_the_weights_and_their_gradients_stay_fp32_on_a_bf16_base(tiny_model_dir: Path) -> None:
    loaded = load_model(str(tiny_model_dir), tiny_model_dir, device="cpu")
    model = add_adapter(loaded, TrainSettings(rank=4))
    asked: list[object] = []
    for name, module in model.named_modules():
        if name.endswith("q_proj.lora_A.default"):
            module.register_forward_hook(lambda *_: asked.append(1))
    model(input_ids=IDS).logits.float().sum().backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert {p.dtype for p in trained} == {p.grad.dtype for p in trained if p.grad is not None}
    assert {p.dtype for p in trained} == {torch.float32}
    assert not asked, "peft's own way was taken"


def test_the_base_and_what_is_saved_stay_as_they_were(
    tiny: LoadedModel, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    with torch.inference_mode():
        before = tiny.model(IDS).logits
    model = add_adapter(tiny, TrainSettings(rank=4, rslora=True))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        after = model(input_ids=IDS).logits
        with model.disable_adapter():
            torch.testing.assert_close(model(input_ids=IDS).logits, before, atol=0, rtol=0)
    model.save_pretrained(str(tmp_path / "adapter"))
    base = load_model(tiny.folder, tmp_path, device="cpu").model.float()  # type: ignore[no-untyped-call]
    with peft_warnings_silenced():
        theirs = PeftModel.from_pretrained(base, str(tmp_path / "adapter"))
    with torch.inference_mode():
        torch.testing.assert_close(theirs(input_ids=IDS).logits, after, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(after, before, atol=0.1)
