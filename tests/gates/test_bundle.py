from __future__ import annotations

import marshal
from pathlib import Path

from ghostbust.gates import sandbox
from ghostbust.gates.inside import judge


def test_every_module_is_in_it_behind_its_length() -> None:
    data = sandbox.bundle()
    assert int.from_bytes(data[:8], "little") == len(data) - 8
    names = [name for name, _ in marshal.loads(data[8:])]
    modules = [f"ghostbust.gates.inside.{name}" for name in sandbox.MODULES]
    assert names == ["ghostbust", "ghostbust.gates", "ghostbust.gates.inside", *modules]
    files = {path.stem for path in Path(judge.__file__).parent.glob("*.py")}
    assert files == {"__init__", *sandbox.MODULES}
