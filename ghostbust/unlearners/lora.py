"""The adapter's product in the precision of the base, its weights kept in fp32.

peft casts the input of every adapted layer to fp32, and its product back: on a CPU with bf16
matrix units, and on a GPU, that costs more than the product itself. Here the two small matrices
are cast instead, and the product is added to the base layer's result where it stands. The weights,
their gradients and the optimizer's state stay fp32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from peft.tuners.lora.layer import Linear, LoraVariant

if TYPE_CHECKING:
    from peft import PeftModel


class _AddLora(torch.autograd.Function):
    """y + scale · (x Aᵀ) Bᵀ, in place of y."""

    @staticmethod
    def forward(
        ctx: Any,
        y: torch.Tensor,  # (…, O), result of the base layer
        x: torch.Tensor,  # (…, I), its input
        a: torch.Tensor,  # (R, I)
        b: torch.Tensor,  # (O, R)
        scale: float,
    ) -> torch.Tensor:
        a, b, x = a.to(y.dtype), b.to(y.dtype), x.to(y.dtype)
        inner = _rows(x) @ a.T  # (M, R)
        ctx.save_for_backward(x, inner, a, b)
        ctx.scale = scale
        ctx.mark_dirty(y)
        _rows(y).addmm_(inner, b.T, alpha=scale)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        grad = _rows(grads[0])  # (M, O)
        x, inner, a, b = ctx.saved_tensors
        back = (grad @ b).mul_(ctx.scale)  # (M, R)
        to_x = (back @ a).view(x.shape) if ctx.needs_input_grad[1] else None  # (…, I)
        to_a = (back.T @ _rows(x)).float()  # (R, I)
        to_b = (inner.T @ grad).T.float().mul_(ctx.scale)  # (O, R)
        return grads[0], to_x, to_a, to_b, None


def _rows(block: torch.Tensor) -> torch.Tensor:
    """(…, H) as (M, H)."""
    return block.view(-1, block.shape[-1])


class _InPlace(LoraVariant):
    """The way that an adapted layer of peft takes instead of its own."""

    @staticmethod
    def forward(
        module: Any, active_adapter: str, x: torch.Tensor, result: torch.Tensor, **_: Any
    ) -> torch.Tensor:
        a = module.lora_A[active_adapter].weight
        b = module.lora_B[active_adapter].weight
        added: torch.Tensor = _AddLora.apply(  # type: ignore[no-untyped-call]
            result.contiguous(), x.contiguous(), a, b, module.scaling[active_adapter]
        )
        return added


def compute_in_place(model: PeftModel) -> None:
    """Lets every plain linear layer of a LoRA without dropout and bias add its product so.

    Other layers stay as peft has them. Only for training and for answering while training: such
    layers can't be merged.
    """
    for module in model.modules():
        if type(module) is Linear and not module.lora_variant:
            module.cast_input_dtype_enabled = False
            for adapter in module.lora_A:
                module.lora_variant[adapter] = _InPlace()
