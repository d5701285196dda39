"""Commands as agents write them: which packages `ghostbust hook` sees in each, and its answer.

``BAD`` is made up and in no snapshot; ``ODD`` is a made-up npm name, which the shipped snapshot of
npm can't call absent. Nobody is asked online.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.cli.hook_agents import ToolEvent
from ghostbust.cli.hook_ruling import HookRules, _gathered, rule
from ghostbust.cli.judging import Vouching
from ghostbust.registries.judge import Mode

BAD = "zz-no-such-name-9z"
ODD = "zz-odd-name-9z"

PIP = [
    ("pip install requests", "requests", "allow"),
    ("pip3 install BAD", "BAD", "deny"),
    ("pip3.12 install --upgrade BAD", "BAD", "deny"),
    ("python -m pip install BAD", "BAD", "deny"),
    ("python3.11 -m pip install -U pip BAD", "pip BAD", "deny"),
    (".venv/bin/pip install BAD", "BAD", "deny"),
    ("./venv/bin/python -m pip install -q requests BAD", "requests BAD", "deny"),
    ("/usr/bin/env python3 -m pip install BAD", "BAD", "deny"),
    (r"venv\Scripts\pip.exe install BAD", "BAD", "deny"),
    ("py -3 -m pip install BAD", "BAD", "deny"),
    ("cd backend && pip install BAD", "BAD", "deny"),
    ("cd /tmp; pip install requests; pip install BAD", "requests BAD", "deny"),
    ("source .venv/bin/activate && pip install flask BAD 2>&1 | tail -5", "flask BAD", "deny"),
    (". venv/bin/activate; pip install BAD >/dev/null 2>&1", "BAD", "deny"),
    ("sudo pip install BAD", "BAD", "deny"),
    ("sudo -H -u web pip install BAD", "BAD", "deny"),
    ("PIP_NO_CACHE_DIR=1 pip install BAD", "BAD", "deny"),
    ("env PIP_DISABLE_PIP_VERSION_CHECK=1 pip install BAD", "BAD", "deny"),
    ("nohup pip install BAD &", "BAD", "deny"),
    ("time pip install BAD", "BAD", "deny"),
    ("timeout 300 pip install BAD", "BAD", "deny"),
    ("pip install 'BAD==1.2' \"requests>=2\"", "BAD requests", "deny"),
    ("pip install BAD[all]~=2.0 requests", "BAD requests", "deny"),
    ("pip install \\\n  requests \\\n  BAD", "requests BAD", "deny"),
    ("pip install requests # and BAD", "requests", "allow"),
    ("# pip install BAD\nls", "", "allow"),
    ("echo 'pip install BAD'", "", "allow"),
    ("git commit -m 'pip install now works'", "", "allow"),
    ("grep -rn 'pip install' docs/", "", "allow"),
    ("pip list | grep requests", "", "allow"),
    ("pip show BAD", "", "allow"),
    ("pip uninstall -y BAD", "", "allow"),
    ("pip --version", "", "allow"),
    ("pip download BAD", "BAD", "deny"),
    ("pip wheel BAD", "BAD", "deny"),
    ("pip --no-cache-dir install BAD", "BAD", "deny"),
    ("pip install --user --break-system-packages BAD", "BAD", "deny"),
    ("pip install --target ./lib BAD", "BAD", "deny"),
    ("pip install --index-url https://pkgs.example.com/simple BAD", "BAD", "ask"),
    ("pip install --extra-index-url https://pkgs.example.com/simple BAD", "BAD", "deny"),
    ("pip install -i https://pkgs.example.com/simple requests", "requests", "allow"),
    ("pip install -r requirements.txt", "requests flask", "allow"),
    ("pip install -r bad/requirements.txt", "numpy BAD", "deny"),
    ("cd bad && pip install -r requirements.txt", "numpy BAD", "deny"),
    ("(cd bad && python -m pip install -qr requirements.txt)", "numpy BAD", "deny"),
    ("pip install -r missing.txt", "", "ask"),
    ("pip install requests -c missing.txt", "requests", "ask"),
    ("pip install -e .", "httpx", "allow"),
    ("pip install -e '.[dev]'", "httpx", "allow"),
    ("pip install . BAD", "httpx BAD", "deny"),
    ("cd bad && pip install -e .", "BAD", "deny"),
    ("pip install ./nowhere", "", "ask"),
    ("pip install git+https://git.example.com/x/y.git", "", "ask"),
    ("pip install https://files.example.com/x-1.0-py3-none-any.whl", "", "ask"),
    ("pip install dist/x-1.0-py3-none-any.whl", "", "ask"),
    ("pip install $PACKAGES", "", "ask"),
    ("PKG=BAD; pip install $PKG", "", "ask"),
    ("pip install requests ${EXTRA}", "requests", "ask"),
    ("pip install requests $(cat more.txt)", "requests", "ask"),
    ("pip install `cat more.txt`", "", "ask"),
    ("cat more.txt | xargs pip install", "", "ask"),
    ("echo BAD | xargs pip install", "", "ask"),
    ("xargs -n1 pip install < more.txt", "", "ask"),
    ("for p in requests BAD; do pip install $p; done", "", "ask"),
    ("if ! python -c 'import yaml'; then pip install BAD; fi", "BAD", "deny"),
    ("python -c 'import requests' || pip install BAD", "BAD", "deny"),
    ("bash -c 'pip install BAD'", "BAD", "deny"),
    ('bash -lc "cd x && pip install BAD"', "BAD", "deny"),
    ("sh -c \"bash -c 'pip install BAD'\"", "BAD", "deny"),
    ("su web -c 'pip install BAD'", "BAD", "deny"),
    ("ssh host 'pip install BAD'", "BAD", "deny"),
    ('eval "pip install BAD"', "BAD", "deny"),
    ("bash <<'EOF'\nset -e\npip install BAD\nEOF", "BAD", "deny"),
    ("cat <<EOF | bash\npip install BAD\nEOF", "BAD", "deny"),
    ("bash <<< 'pip install BAD'", "BAD", "deny"),
    ("echo 'pip install BAD' | bash", "BAD", "deny"),
    (
        "cat > requirements.txt <<EOF\nrequests\nBAD\nEOF\npip install -r requirements.txt",
        "requests BAD",
        "deny",
    ),
    ("cat > run.sh <<'EOF'\npip install BAD\nEOF\nbash run.sh", "BAD", "deny"),
    ("cat > app.py <<'EOF'\nimport requests\nEOF", "requests", "allow"),
    (
        "python - <<'EOF'\nimport subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'pip', 'install', 'BAD'])\nEOF",
        "BAD",
        "deny",
    ),
    ("python -c \"import os; os.system('pip install BAD')\"", "BAD", "deny"),
    ("docker run --rm python:3.12 pip install BAD", "BAD", "deny"),
    ("docker run --rm -it python:3.12 bash -c 'pip install BAD && python x.py'", "BAD", "deny"),
    ("docker exec web python -m pip install BAD", "BAD", "deny"),
    (
        "docker build -t x - <<EOF\nFROM python:3.12\nRUN pip install --no-cache-dir BAD\nEOF",
        "BAD",
        "deny",
    ),
    ("printf 'FROM python\\nRUN pip install BAD\\n' > Dockerfile", "BAD", "deny"),
    ("easy_install BAD", "BAD", "deny"),
    ("& python -m pip install BAD", "BAD", "deny"),
    ("! pip install BAD", "BAD", "deny"),
    ("{ pip install BAD; }", "BAD", "deny"),
    ("X=$(pip install BAD)", "BAD", "deny"),
    ("exec pip install BAD", "BAD", "deny"),
    ("command pip install BAD", "BAD", "deny"),
    ("p''ip install BAD", "BAD", "deny"),
    ("\\pip install BAD", "BAD", "deny"),
    ('"pip" install "BAD"', "BAD", "deny"),
    ("pip \\\ninstall BAD", "BAD", "deny"),
    ("pip install requests&&pip install BAD", "requests BAD", "deny"),
    ("pip install foo", "foo", "deny"),
]
PYTHON = [
    ("uv add BAD", "BAD", "deny"),
    ("uv add --dev 'BAD>=1' pytest", "BAD pytest", "deny"),
    ("uv add --script x.py BAD", "BAD", "deny"),
    ("uv add -r requirements.txt", "requests flask", "allow"),
    ("uv pip install --system BAD", "BAD", "deny"),
    ("uv --quiet pip install -r bad/requirements.txt", "numpy BAD", "deny"),
    ("uv run --with BAD python x.py", "BAD", "deny"),
    ("uv run --with requests,BAD -- python x.py", "requests BAD", "deny"),
    ("uv run pytest -q", "httpx", "allow"),
    ("uv run --with requests pip install BAD", "requests BAD", "deny"),
    ("uv tool install BAD", "BAD", "deny"),
    ("uv tool run --from BAD cmd", "BAD", "deny"),
    ("uv sync --all-extras", "httpx", "allow"),
    ("uv lock", "httpx", "allow"),
    ("uv venv && uv pip install BAD", "BAD", "deny"),
    ("uv pip sync requirements.txt", "requests flask", "allow"),
    ("uvx BAD", "BAD", "deny"),
    ("uvx --from BAD tool", "BAD", "deny"),
    ("uvx ruff check .", "ruff", "allow"),
    ("uvx BAD@latest --help", "BAD", "deny"),
    ("pipx install BAD", "BAD", "deny"),
    ("pipx run BAD --x", "BAD", "deny"),
    ("pipx inject poetry BAD", "BAD", "deny"),
    ("pipx run --spec BAD tool", "BAD", "deny"),
    ("poetry add BAD", "BAD", "deny"),
    ("poetry add --group dev BAD@^1.0", "BAD", "deny"),
    ("poetry install --no-root", "httpx", "allow"),
    ("poetry run pip install BAD", "BAD", "deny"),
    ("pdm add -d BAD", "BAD", "deny"),
    ("pipenv install BAD", "BAD", "deny"),
    ("pipenv install", "httpx", "allow"),
    ("rye add BAD", "BAD", "deny"),
    ("hatch run pip install BAD", "BAD", "deny"),
    ("conda install -y -c conda-forge BAD", "BAD", "ask"),
    ("mamba install numpy", "numpy", "ask"),
    ("conda create -n x python=3.12 BAD", "python BAD", "ask"),
    ("conda env create -f environment.yml", "", "ask"),
    ("conda run -n x pip install BAD", "BAD", "deny"),
    ("conda activate x && pip install BAD", "BAD", "deny"),
    ("conda env list", "", "allow"),
    ("python setup.py install", "", "allow"),
    ("python -m venv .venv", "", "allow"),
    ("pytest -q tests/test_pip.py", "", "allow"),
]
NODE = [
    ("npm install express", "express", "allow"),
    ("npm i ODD", "ODD", "ask"),
    ("npm i -D ODD@^1 typescript", "ODD typescript", "ask"),
    ("npm install --save-dev @types/node", "@types/node", "allow"),
    ("npm add ODD", "ODD", "ask"),
    ("npm install -g ODD", "ODD", "ask"),
    ("npm --prefix web install ODD", "ODD", "ask"),
    ("cd web && npm install ODD --legacy-peer-deps", "ODD", "ask"),
    ("npm install", "express", "allow"),
    ("npm ci", "express", "allow"),
    ("cd bad && npm ci", "ODD", "ask"),
    ("npm install ./local", "", "ask"),
    ("npm install x/y#main", "", "ask"),
    ("npm install https://files.example.com/x.tgz", "", "ask"),
    ("npm install my-react@npm:ODD@1", "ODD", "ask"),
    ("npm run build", "", "allow"),
    ("npm test", "", "allow"),
    ("npm init -y", "", "allow"),
    ("npm view ODD", "", "allow"),
    ("npm exec ODD", "ODD", "ask"),
    ("npm exec --package=ODD -- tool", "ODD", "ask"),
    ("npx ODD init", "ODD", "ask"),
    ("npx --yes ODD@latest", "ODD", "ask"),
    ("npx -y -p typescript tsc --init", "typescript", "allow"),
    ("npx -p ODD tool", "ODD", "ask"),
    ("npx eslint .", "eslint", "allow"),
    ("pnpm add ODD -w", "ODD", "ask"),
    ("pnpm i", "express", "allow"),
    ("pnpm dlx ODD", "ODD", "ask"),
    ("pnpm --filter web add ODD", "ODD", "ask"),
    ("yarn add ODD", "ODD", "ask"),
    ("yarn add -D typescript ODD", "typescript ODD", "ask"),
    ("yarn", "express", "allow"),
    ("yarn install --frozen-lockfile", "express", "allow"),
    ("yarn dlx ODD", "ODD", "ask"),
    ("yarn workspace web add ODD", "ODD", "ask"),
    ("yarn build", "", "allow"),
    ("bun add ODD", "ODD", "ask"),
    ("bun install", "express", "allow"),
    ("bun i ODD", "ODD", "ask"),
    ("bunx ODD", "ODD", "ask"),
    ("bun x ODD", "ODD", "ask"),
    ("bun run dev", "", "allow"),
    ("corepack pnpm add ODD", "ODD", "ask"),
    ("sudo npm install -g ODD", "ODD", "ask"),
    ("NODE_ENV=production npm install ODD", "ODD", "ask"),
    ("npm install $PKG", "", "ask"),
    ("npm --prefix bad ci", "ODD", "ask"),
    ("npm ci --prefix bad", "ODD", "ask"),
    ("pnpm -C bad install", "ODD", "ask"),
    ("yarn --cwd bad install", "ODD", "ask"),
    ("yarn --version", "", "allow"),
    ("which yarn npm pip", "", "allow"),
    ("npm install --no-save express@4 ODD@next", "express ODD", "ask"),
    ("npm i express && npm run dev", "express", "allow"),
    ("npm create vite@latest my-app -- --template react", "create-vite", "allow"),
    ("npm init ODD@latest", "create-ODD", "ask"),
    ("yarn create next-app x", "create-next-app", "allow"),
    ("pnpm create @acme/ODD", "@acme/create-ODD", "ask"),
    ("bun create vite", "create-vite", "allow"),
    ("npm update", "express", "allow"),
    ("npm install-test", "express", "allow"),
    ("npm rebuild", "", "allow"),
    ("pnpm exec tsc", "", "allow"),
    ("deno add npm:ODD", "ODD", "ask"),
    ("deno run npm:ODD", "ODD", "ask"),
    ("npm install express --registry https://npm.example.com", "express", "allow"),
]
OTHERS = [
    ("cargo add serde", "", "ask"),
    ("cargo --locked install x", "", "ask"),
    ("echo cargo add serde", "", "allow"),
    ("cargo install ripgrep", "", "ask"),
    ("cargo build --release", "", "allow"),
    ("go get example.com/x", "", "ask"),
    ("go test ./...", "", "allow"),
    ("gem install rails", "", "ask"),
    ("bundle add rails", "", "ask"),
    ("composer require x/y", "", "ask"),
    ("dotnet add package X", "", "ask"),
    ("sudo apt-get update && sudo apt-get install -y curl git", "", "allow"),
    ("apt-get install -y python3-pip && pip install BAD", "BAD", "deny"),
    ("brew install jq", "", "allow"),
    ("docker pull python:3.12", "", "allow"),
    ("ls -la && cat package.json", "", "allow"),
    ("make install", "", "allow"),
    ("git add requirements.txt && git commit -m 'add requests'", "", "allow"),
    ("curl -sSL https://sh.example.com/install.sh | sh", "", "allow"),
    ("sed -i 's/foo/bar/' app.py", "", "allow"),
    ("", "", "allow"),
]
COMMANDS = [*PIP, *PYTHON, *NODE, *OTHERS]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose own files are fine, with one in it whose files aren't."""
    files = {
        "requirements.txt": "requests\nflask\n",
        "pyproject.toml": '[project]\nname = "mine"\nversion = "1"\ndependencies = ["httpx"]\n',
        "package.json": '{"name": "mine", "dependencies": {"express": "^4"}}',
        "x.py": '# /// script\n# dependencies = ["tomli"]\n# ///\nimport tomli\n',
        "bad/requirements.txt": f"numpy\n{BAD}\n",
        "bad/pyproject.toml": f'[project]\nname = "x"\nversion = "1"\ndependencies = ["{BAD}"]\n',
        "bad/package.json": f'{{"dependencies": {{"{ODD}": "^1"}}}}',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_enough() -> None:
    assert len({command for command, _, _ in COMMANDS}) == len(COMMANDS) >= 200


@pytest.mark.parametrize(
    ("command", "names", "decision"), COMMANDS, ids=[row[0][:60] for row in COMMANDS]
)
def test_what_is_seen_and_answered(
    command: str, names: str, decision: str, project: Path, tmp_path: Path
) -> None:
    command = command.replace("BAD", BAD).replace("ODD", ODD)
    expected = names.replace("BAD", BAD).replace("ODD", ODD).split()
    event = ToolEvent("", [command])
    refs = (ref for source in _gathered(event).sources for ref in source.refs)
    seen = {ref.name or ref.import_name for ref in refs}
    ruling = rule(event, HookRules(Mode.SNAPSHOT, None, tmp_path / "none", Vouching()))
    assert (seen, ruling.decision) == (set(expected), decision), ruling.reason
