from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from ghostbust.models.load import give_back


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap is Linux's")
def test_pages_below_a_block_in_use_go_back() -> None:
    """The last block pins the top of the heap, so that glibc returns nothing by itself."""
    if "musl" in Path("/proc/self/maps").read_text("utf-8"):
        pytest.skip("musl has no malloc_trim")
    blocks = [torch.ones(25_000) for _ in range(2000)]  # 100 kB each: on the heap
    pin = blocks[-1]
    del blocks
    kept_mb = _resident_mb()
    give_back()
    assert kept_mb - _resident_mb() > 150
    assert float(pin.sum()) == len(pin)


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text("utf-8")
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes) / 1024
