"""Words that stand in and around lists of packages, and what they say there."""

from __future__ import annotations

import re

from ghostbust.extractors.vocabulary import PACKAGE_STEMS, word_set

_WORD = re.compile(r"[^\W\d_]+")
_LAST_STEMS = tuple(stem for stem in PACKAGE_STEMS if not stem.isascii())
"""stems that stand at the end of what is written without blanks"""
NEED_STEMS = (
    "need", "requir", "benötig", "brauch", "verwend", "necesit", "requier", "utiliz", "utilis",
    "nécessit", "besoin", "faut", "可以使用", "需要", "推荐", "安装",
)  # fmt: skip
LABELS = word_set(
    "pypi pip package packages name names library libraries module modules install python"
)
INTRODUCING = LABELS | word_set(
    "dependency dependencies need needs needed require requires required requirements use answer"
)
NEEDING = word_set("need needs require requires install packages libraries dependencies")
CATEGORIES = word_set(
    "web http api backend frontend server client networking network database databases db data "
    "orm plotting plots charts visualization visualisation graphics image images imaging audio "
    "video math maths statistics ml ai nlp llm vision parsing parser scraping testing tests test "
    "linting formatting typing validation serialization security cryptography crypto auth "
    "authentication logging monitoring async concurrency caching messaging queue utilities utils "
    "development dev production deployment gui ui ux cli state styling routing forms build "
    "bundler tooling misc other others extras additional required core optional"
)
"""titles that a list of names may stand behind: ``Testing: pytest, tox``"""
_SCRIPTS = word_set(
    "main.py app.py utils.py util.py config.py models.py views.py urls.py setup.py server.py "
    "client.py test.py tests.py script.py run.py manage.py settings.py index.py example.py "
    "helpers.py cli.py index.js app.js main.js server.js script.js config.js utils.js test.js"
)
NEVER = _SCRIPTS | word_set(
    "python python2 python3 pypi task output input note notes example examples answer question "
    "code explanation description summary overview introduction conclusion usage features title "
    "prelude purpose link links url version license author documentation docs website homepage "
    "repository github source type pros cons benefits advantages alternatives optional core "
    "step steps import imports function class true false none n/a e.g i.e etc todo prerequisites "
    "tip tips node.js nodejs cuda cudnn ubuntu debian linux macos windows jdk "
    "pakete bibliotheken hinweis wichtig beispiel beschreibung lizenz zusammenfassung fazit "
    "voraussetzungen requisitos "
    "paquetes bibliotecas dependencias nota ejemplo licencia resumen importante gracias saludos "
    "danke merci paquets remarque astuce exemple licence conseil"
)
"""words that are no packages where they stand as an item"""


def speaks_of_need(text: str) -> bool:
    """True for ``You need``, ``Du brauchst``, ``可以使用`` and the like."""
    words = _WORD.findall(text.lower())
    return any(word.startswith(NEED_STEMS) for word in words)


def speaks_of_packages(text: str) -> bool:
    """True for ``npm packages``, ``Benötigte Pakete``, ``需要安装的库`` and the like."""
    words = _WORD.findall(text.lower())
    return any(word.startswith(PACKAGE_STEMS) or word.endswith(_LAST_STEMS) for word in words)
