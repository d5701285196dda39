"""What can't be taken back is tried in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ghostbust.gates.inside import confine

LIMITS = """\
import json, os, resource, sys
from ghostbust.gates.inside import confine
confine.limit(2, 1 << 34, 1 << 20)
confine.limit(5, 1 << 35, 1 << 30)
confine.give_up_privileges()
kinds = ("CPU", "AS", "FSIZE", "NOFILE", "CORE", "MSGQUEUE")
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
print(json.dumps({
    "limits": {kind: resource.getrlimit(getattr(resource, "RLIMIT_" + kind)) for kind in kinds},
    "status": {key: status[key].strip() for key in ("NoNewPrivs", "CapEff", "CapPrm")},
}))
"""
FILES = """\
import json, os, sys
from ghostbust.gates.inside import confine
readable, folder = sys.argv[1:]
confine.give_up_privileges()
confine.allow_files([readable], folder)
said = {}
for name, path, mode in (
    ("reads", readable + "/file", "r"), ("writes what it reads", readable + "/file", "w"),
    ("makes", folder + "/new", "w"), ("reads others", "/etc/passwd", "r"),
):
    try:
        open(path, mode).close()
        said[name] = True
    except PermissionError:
        said[name] = False
print(json.dumps(said))
"""


def _run(code: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_limits_are_set_once_and_capabilities_given_up() -> None:
    said = _run(LIMITS)
    assert said["limits"]["CPU"] == [3, 3], "no more than the first hard limit"
    assert said["limits"]["AS"] == [1 << 34, 1 << 34]
    assert said["limits"]["FSIZE"] == [1 << 20, 1 << 20]
    assert said["limits"]["CORE"] == [0, 0]
    assert said["status"] == {"NoNewPrivs": "1", "CapEff": "0" * 16, "CapPrm": "0" * 16}


def test_landlock_allows_what_it_is_told_and_no_more(tmp_path: Path) -> None:
    readable, folder = tmp_path / "readable", tmp_path / "folder"
    readable.mkdir()
    folder.mkdir()
    (readable / "file").write_text("x")
    there = confine.landlock_version() > 0
    assert _run(FILES, str(readable), str(folder)) == {
        "reads": True,
        "writes what it reads": not there,
        "makes": True,
        "reads others": not there,
    }


NAMES = """\
import json, os, sys
from ghostbust.gates.inside import confine
place, folder = sys.argv[1:]
confine.give_up_privileges()
confine.allow_files([place + "/"], folder)
said = {"names": os.listdir(place), "size": os.stat(place + "/file").st_size}
said["size elsewhere"] = os.stat("/etc/passwd").st_size > 0
try:
    said["reads"] = open(place + "/file").read()
except PermissionError:
    said["reads"] = None
print(json.dumps(said))
"""


def test_of_a_path_with_a_slash_only_names_and_of_all_others_what_stat_says(
    tmp_path: Path,
) -> None:
    place, folder = tmp_path / "place", tmp_path / "folder"
    place.mkdir()
    folder.mkdir()
    (place / "file").write_text("x")
    assert _run(NAMES, str(place), str(folder)) == {
        "names": ["file"],
        "size": 1,
        "size elsewhere": True,
        "reads": None if confine.landlock_version() else "x",
    }


def test_nothing_readable_means_no_landlock(tmp_path: Path) -> None:
    code = "from ghostbust.gates.inside import confine\nconfine.allow_files([], '.')\n"
    code += "print('{\"read\": %s}' % str(bool(open('/etc/passwd').read())).lower())\n"
    assert _run(code) == {"read": True}


def test_the_processes_of_a_parent_that_ended_end() -> None:
    code = (
        "from ghostbust.gates.inside import confine\nconfine.die_with_parent(1 << 22)\nprint(1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
