"""Install commands in scripts and in prose: names, and their exact places."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.shell import CommandListExtractor, ProseExtractor, ShellExtractor
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

SCRIPTS = [
    (r"venv\Scripts\pip.exe install a1", ["a1"]),
    (r".venv\Scripts\python -m pip install a1", ["a1"]),
    ('pip install "a1\npip install b1', ["a1", "b1"]),
    ('pip install a1 "b1[extr', ["a1", "b1"]),
    ("yarn add a1\nyarn add v1.22.19\n[1/4] Resolving", ["a1"]),
    ('{ echo "pip install failed" >&2; }; bash -c "pip install a1"', ["a1"]),
    ('echo "now run pip install a1 and go"', ["a1"]),
    ("pip install requests", ["requests"]),
    ("x:\n\t-npm install a1\n\t-@pip install b1\n\t@-pip install c1", ["a1", "b1", "c1"]),
    ("-pip install a1", ["a1"]),
    ("x --npm install a1", []),
    ("pip install requests numpy pandas", ["requests", "numpy", "pandas"]),
    ("pip3 install a1 && pip3.11 install b1; pip install c1 | tee log", ["a1", "b1", "c1"]),
    ("python -m pip install rich", ["rich"]),
    ("python3.12 -m pip --no-cache-dir install rich", ["rich"]),
    ("py -m pip install rich", ["rich"]),
    ("/usr/local/bin/pip install rich", ["rich"]),
    ("pip --timeout 100 install rich", ["rich"]),
    ("uv pip install httpx", ["httpx"]),
    ("uv add httpx --dev", ["httpx"]),
    ("uv tool install ruff", ["ruff"]),
    ("poetry add httpx@^0.27 --group dev", ["httpx"]),
    ("poetry add requests@latest", ["requests"]),
    ("pdm add -G test pytest", ["pytest"]),
    ("pipx install black", ["black"]),
    ("pipenv install flask", ["flask"]),
    ("easy_install lxml", ["lxml"]),
    ("sudo -H pip install ansible", ["ansible"]),
    ("env LANG=C pip install rich", ["rich"]),
    ("VAR=x pip install rich", ["rich"]),
    ("$ pip install rich", ["rich"]),
    ("> pip install rich", ["rich"]),
    ("(venv) $ pip install rich", ["rich"]),
    ("user@host:~$ pip install rich", ["rich"]),
    ("%pip install rich", ["rich"]),
    ("!pip install rich", ["rich"]),
    ("!{sys.executable} -m pip install rich", ["rich"]),
    ("RUN apt-get update && pip install gunicorn \\\n    uvicorn", ["gunicorn", "uvicorn"]),
    ("pip install \\\r\n  rich \\\r\n  httpx", ["rich", "httpx"]),
    ('sh -c "cd /app && pip install rich"', ["rich"]),
    ("- run: pip install tox", ["tox"]),
    ("pip install -r requirements.txt", []),
    ("pip install -r requirements.txt rich", ["rich"]),
    ("pip install --requirement=requirements.txt -c limits.txt rich", ["rich"]),
    ("pip install -e .", []),
    ("pip install -e .[dev] rich", ["rich"]),
    ("pip install . ./sub ../other ~/mine /opt/x", []),
    ("pip install dist/x-1.0-py3-none-any.whl x.tar.gz", []),
    ("pip install requirements.txt", []),
    ("pip install setup.py", []),
    ("pip install git+https://git.example.test/a/b.git rich", ["rich"]),
    ("pip install https://files.example.test/a.zip", []),
    ("pip install 'mine @ https://files.example.test/a.zip'", []),
    ("pip install mine@git+https://git.example.test/a", []),
    ("pip install mine @ https://files.example.test/a.zip rich", ["rich"]),
    ("pip install 'uvicorn[standard]' httpx[http2,brotli]", ["uvicorn", "httpx"]),
    ('pip install "requests>=2.31,<3" numpy==1.26.*', ["requests", "numpy"]),
    ("pip install 'requests >= 2' numpy~=1.26", ["requests", "numpy"]),
    ("pip install requests>=2.31 numpy", ["requests", "numpy"]),
    ("pip install requests >= 2.31 numpy", ["requests", "numpy"]),
    ("pip install \"tomli; python_version < '3.11'\"", ["tomli"]),
    ("pip install rich > log.txt 2>&1", ["rich"]),
    ("pip install -t ./lib --platform any rich", ["rich"]),
    ("pip install -U --user --pre rich", ["rich"]),
    ("pip install <package>", []),
    ("pip install <name of the package> rich", ["rich"]),
    ("pip install [options] rich", ["rich"]),
    ("pip install your-package your_library_name package_name", []),
    ("pip install package-name my-package foo", []),
    ("pip install $PACKAGE ${NAME} {name} {package name}", []),
    ("pip install requests, numpy", ["requests", "numpy"]),
    ("pip install setuptools getpass4 loadenv", ["setuptools", "getpass4", "loadenv"]),
    ("pip install q2 aa", ["q2", "aa"]),
    ("pip install discord.py", ["discord.py"]),
    ("pip install Flask-SQLAlchemy", ["Flask-SQLAlchemy"]),
    ("pip uninstall rich", []),
    ("pip install", []),
    ("pip install --upgrade", []),
    ("pip list && pip show rich && pip freeze", []),
    ("apt-get install python3-numpy", []),
    ("echo done # pip install rich later", []),
    ("# pip install rich httpx", []),
    ("pip install rich  # or: pip install httpx", ["rich"]),
    ("python3 -mpip install rich", ["rich"]),
    ("pip.exe install rich", ["rich"]),
    ("C:\\Users\\me> pip install rich", ["rich"]),
    ("C:\\x>pip install rich", ["rich"]),
    ("PS C:\\Users\\me> pip install rich", ["rich"]),
    ("pip install rich `\n  httpx", ["rich", "httpx"]),
    ("pip install \\ \n  rich", ["rich"]),
    ("RUN pip install \\\n  # a comment\n  rich", ["rich"]),
    ('RUN ["pip", "install", "rich", "httpx==1"]', ["rich", "httpx"]),
    ('CMD ["sh", "-c", "pip install rich && npm i left-pad"]', ["rich", "left-pad"]),
    ("x=$(pip install rich)", ["rich"]),
    ('echo "$(pip install rich)"', ["rich"]),
    ("if true; then pip install rich; fi", ["rich"]),
    ("for x in 1; do\n  pip install rich\ndone", ["rich"]),
    ("\t@pip install rich", ["rich"]),
    ("pip install -Ur requirements.txt rich", ["rich"]),
    ("pip install -qU rich", ["rich"]),
    ("pip install --pre -- rich", ["rich"]),
    ("pip3 install --target=x rich", ["rich"]),
    ("uv run --with rich,httpx==1 --with 'lxml' main.py pytest", ["rich", "httpx", "lxml"]),
    ("uv run main.py --with rich", []),
    ("uv run pip install rich", ["rich"]),
    ("uvx ruff check .", ["ruff"]),
    ("uvx ruff@latest check", ["ruff"]),
    ("uvx --from 'mypy[faster]' --with rich mypy .", ["mypy", "rich"]),
    ("uvx python@3.12 x.py", []),
    ("uvx pip install rich", ["pip", "rich"]),
    ("uv tool run black .", ["black"]),
    ("uv tool install ansible-core --with ansible", ["ansible-core", "ansible"]),
    ("uv tool install --from httpie http", ["httpie"]),
    ("uv pip install -e . rich", ["rich"]),
    ("pipx run black .", ["black"]),
    ("pipx run --spec httpie http", ["httpie"]),
    ("pipx run ./x.py", []),
    ("pipx run x.py", []),
    ("pipx inject ipython numpy pandas", ["numpy", "pandas"]),
    ("poetry add --optional rich", ["rich"]),
    ("poetry self add poetry-plugin-export", ["poetry-plugin-export"]),
    ("pdm add -dG test pytest", ["pytest"]),
    ("rye add rich --git https://git.example.test/x", []),
    ("pip install --index-url", []),
    ("cat > x <<EOF\npip install rich\nEOF", ["rich"]),
    ("bash <<EOF\npip install then\nEOF", ["then"]),
    ("RUN <<EOF\npip install then\nEOF", ["then"]),
    ("cat 'it is\npip install rich", ["rich"]),
    ('pip install req"uests"', []),
]

PROSE = [
    ("run pip install requests and then start", ["requests"]),
    ("Install it with pip install requests.", ["requests"]),
    ("(pip install requests)", ["requests"]),
    ("Use **pip install requests** first", ["requests"]),
    ("`pip install requests` installs", ["requests"]),
    ("`pip install requests numpy`, then go", ["requests", "numpy"]),
    ("pip install `requests` for HTTP", ["requests"]),
    ("pip install requests (for HTTP)", ["requests"]),
    ("pip install requests - an HTTP library", ["requests"]),
    ("pip install requests -> done", ["requests"]),
    ("pip install requests / conda install rich", ["requests", "rich"]),
    ("pip install requests, which is", ["requests"]),
    ("pip install 'requests' 'numpy'", ["requests", "numpy"]),
    ('os.system("pip install requests numpy")', ["requests", "numpy"]),
    ('print("Run: pip install requests\\n")', ["requests"]),
    ('cmd = "pip install " + name', []),
    ('f"pip install {name}"', []),
    ("you can pip install it", []),
    ("The pip install command is old", []),
    ("using pip install, you can", []),
    ("pip install the requests library", []),
    ("`pip install -r requirements.txt` numpy is next", []),
    ("`pip install --upgrade` numpy is next", []),
    ("`pip install -U requests` works", ["requests"]),
    ("`pip install <package>` does it", []),
    ("pip install requests\nnumpy is next", ["requests"]),
    ("pip install a1 && pip install b1", ["a1", "b1"]),
    ("<code>pip install requests</code>", ["requests"]),
    ("pip install click", ["click"]),
    ("pip install requests。", ["requests"]),
    ("pip install requests makes it work", ["requests"]),
    ("# !pip install requests", []),
    ("#%pip install requests", []),
    ("# pip install requests", ["requests"]),
    ("pip install requests \\\n  numpy\nrich", ["requests", "numpy"]),
    ("use npx create-next-app my-app to scaffold", ["create-next-app"]),
    ("The npx tool runs it", []),
    ("npm install next react react-dom to start", ["next", "react", "react-dom"]),
    ("pip install next", []),
    ("pip install first==2 and then", ["first"]),
    ("uvx ruff.", ["ruff"]),
    ("npx <package> name", []),
]


def assert_spans(refs: list[PackageRef], text: str, offset: int) -> None:
    for ref in refs:
        assert text[ref.start - offset : ref.end - offset] == ref.raw


@pytest.mark.parametrize(("script", "names"), SCRIPTS)
def test_script(script: str, names: list[str]) -> None:
    refs = list(ShellExtractor().find(script, 7))
    assert [ref.raw for ref in sorted(refs, key=lambda ref: ref.start)] == names
    assert all(ref.kind is RefKind.INSTALL for ref in refs)
    assert_spans(refs, script, 7)


@pytest.mark.parametrize(("prose", "names"), PROSE)
def test_prose(prose: str, names: list[str]) -> None:
    refs = list(ProseExtractor().find(prose, 3))
    assert [ref.raw for ref in refs] == names
    assert_spans(refs, prose, 3)


def test_name_is_canonical_and_raw_is_as_written() -> None:
    (ref,) = ShellExtractor().find("pip install Ruamel.YAML_x[jinja2]==1", 0)
    assert (ref.raw, ref.name) == ("Ruamel.YAML_x", "ruamel-yaml-x")
    assert (ref.start, ref.end, ref.import_name) == (12, 25, None)


def test_span_counts_code_points() -> None:
    (ref,) = ShellExtractor().find("echo 'größe 🎉'; pip install rich", 0)
    assert (ref.start, ref.end) == (28, 32)


@pytest.mark.parametrize(
    "script",
    [
        "pip install -i https://index.example.test/simple a1 b1",
        "pip install a1 b1 --index-url https://index.example.test/simple",
        "pip install a1 b1 --index-url=https://index.example.test/simple",
        "pip install --extra-index-url https://index.example.test/simple a1 b1",
        "pip install -f https://files.example.test/ a1 b1",
        "pip --index-url https://index.example.test/simple install a1 b1",
        "PIP_INDEX_URL=https://index.example.test/simple pip install a1 b1",
        "UV_INDEX=https://index.example.test/simple uv pip install a1 b1",
        "poetry add --source mine a1 b1",
    ],
)
def test_another_index_marks_all_names_of_its_command(script: str) -> None:
    refs = list(ShellExtractor().find(script + " && pip install c1", 0))
    assert {ref.raw: Flag.PRIVATE_INDEX in ref.flags for ref in refs} == {
        "a1": True,
        "b1": True,
        "c1": False,
    }


@pytest.mark.parametrize(
    "setting",
    ["export PIP_INDEX_URL=https://index.example.test", "ENV PIP_INDEX_URL https://x.example.test",
     "pip config set global.index-url https://x.example.test",
     "$env:PIP_INDEX_URL = 'https://x.example.test'"],
)  # fmt: skip
def test_a_setting_marks_what_comes_after_it(setting: str) -> None:
    refs = list(ShellExtractor().find(f"pip install a1\n{setting}\npip install b1", 0))
    assert [Flag.PRIVATE_INDEX in ref.flags for ref in refs] == [False, True]


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("conda install -y -c conda-forge numpy=1.26 'pandas>=2'", ["numpy", "pandas"]),
        ("conda create -n x python=3.11 PyTables", ["python", "pytables"]),
        ("mamba install conda-forge::rich", ["rich"]),
        ("micromamba install -n base -f x.yml rich", ["rich"]),
        ("conda env create -f environment.yml && conda activate x", []),
    ],
)
def test_conda_is_another_ecosystem(script: str, names: list[str]) -> None:
    refs = list(ShellExtractor().find(script, 0))
    assert [ref.name for ref in refs] == names
    assert all(ref.ecosystem is Ecosystem.CONDA for ref in refs)
    assert_spans(refs, script, 0)


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("npm install express", ["express"]),
        ("npm i -g @angular/cli@17 typescript@^5", ["@angular/cli", "typescript"]),
        ("yarn add --dev jest@latest", ["jest"]),
        ("yarn global add serve", ["serve"]),
        ("pnpm add -D vite && bun add zod", ["vite", "zod"]),
        ("npm install --prefix ./app lodash.merge JSONStream", ["lodash.merge", "JSONStream"]),
        ("npm install", []),
        ("npm install ./local user/repo git+ssh://git.example.test/x", []),
        ("npm install mine@npm:other@1 x@npm:@a/b", ["other", "@a/b"]),
        ("npm run build && npm ci", []),
        ("npm --prefix app i -D zod", ["zod"]),
        ("npx -y create-react-app@latest my-app", ["create-react-app"]),
        ("npx -p typescript -p @a/b tsc --init", ["typescript", "@a/b"]),
        ("npx --package=typescript -- tsc", ["typescript"]),
        ("npm exec --package yo -- yo x", ["yo"]),
        ("npm exec -- cowsay hi", ["cowsay"]),
        ("npx ./local.js && npx github:a/b", []),
        ("npm create vite@latest my-app", []),
        ("npm init vite && yarn create next-app", []),
        ("pnpm add -w typescript && pnpm dlx create-vite x", ["typescript", "create-vite"]),
        ("pnpm --filter web add zod", ["zod"]),
        ("yarn workspace web add zod", ["zod"]),
        ("yarn dlx -p prettier -p eslint eslint .", ["prettier", "eslint"]),
        ("bunx --bun vite && bun x cowsay", ["vite", "cowsay"]),
        ("deno add npm:zod@3 jsr:@std/path", ["zod"]),
        ("deno run -A npm:create-vite app", ["create-vite"]),
        ("deno run main.ts", []),
    ],
)
def test_npm(script: str, names: list[str]) -> None:
    refs = list(ShellExtractor().find(script, 0))
    assert [ref.raw for ref in refs] == names
    assert [ref.name for ref in refs] == names
    assert all(ref.ecosystem is Ecosystem.NPM for ref in refs)
    assert_spans(refs, script, 0)


def test_lists_of_strings_are_commands_in_files_of_any_kind() -> None:
    text = 'commands = [["pip", "install", "a1"], ["pytest"]]\nx = ["npm install b1"]\ny = ["c1"]'
    refs = list(CommandListExtractor().find(text, 7))
    assert [(ref.raw, text[ref.start - 7 : ref.end - 7]) for ref in refs] == [("a1", "a1")]


@pytest.mark.parametrize(
    ("label", "body"),
    [
        ("ini", "[testenv]\ncommands =\n    pip install a1\n"),
        ("cfg", "[testenv]\ncommands = pip install a1\n    pytest\n"),
        ("ini", "[testenv]\ninstall_command = pip install {opts} {packages} a1\n"),
        ("toml", 'commands = [["pip", "install", "a1"]]\n'),
        ("toml", '[tool.x.scripts]\nsetup = "pip install a1"\n'),
        ("makefile", "x:\n\t@pip install a1\n"),
        ("yaml", "run: |\n  pip install a1\n"),
        ("yaml", "- 'pip install a1'\n"),
        ("json", '{"scripts": {"x": "pip install a1"}}'),
        ("json", '{"x": ["pip", "install", "a1"]}'),
        ("hcl", 'inline = ["pip", "install", "a1"]'),
    ],
)
def test_commands_in_settings(label: str, body: str) -> None:
    text = f"```{label}\n{body}\n```\n"
    assert [text[ref.start : ref.end] for ref in extract(text)] == ["a1"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("pip install rich\n# pip install tox", ["rich"]),
        ("# pip install tox\n# $ npm i\n$ pip install rich", ["rich"]),
        ("# pip install tox\n\npip install rich", ["tox", "rich"]),
        ("# pip install tox\npip is the installer.", ["tox"]),
        ("# pip install tox\nIt tests.", ["tox"]),
        ("# Then pip install tox\npip install rich", ["tox", "rich"]),
    ],
)
def test_commented_out_commands_in_prose(text: str, names: list[str]) -> None:
    assert [ref.raw for ref in ProseExtractor().find(text, 0)] == names
