"""What stands in front of an item of a list: a bullet, number, letter or check box.

Lists in HTML are rewritten to such lists, each character in its place.
"""

from __future__ import annotations

import re

_QUOTES = "“”„‘’‚«»‹›「」『』（）【】《》〈〉、。，：；！？…"
_FORMS = (
    r"[-*+](?=[ \t])|[-=]>(?=[ \t])|\(?\d{1,3}(?:[.):](?=[ \t]|[A-Za-z`*\[])|[)、．])"
    r"|(?:\*\*|__)\d{1,3}[.)](?:\*\*|__)?(?=[ \t])"  # **1. name**
    r"|[a-z][.)](?=[ \t])|\d{1,2}\ufe0f?\u20e3|[①-⑳❶-❿]"  # a) 1️⃣
    rf"|[^\x00-\x7f\w\s{_QUOTES}]{{1,4}}"  # ✅ ・
)
_GLUED = r"-(?=[A-Za-z@])"
_ANSWER = r"[*_]*(?:A|Answer|Antwort|Respuesta|Réponse|答|回答)\d*[*_]*[:：][*_]*(?=\s)"
_QUESTION = re.compile(
    r"^[ \t>*_]*(?:Q|Question|Frage|Pregunta|问|問|質問)\d*[*_]*[:：]", re.M | re.I
)
_DASHED = re.compile(r"^[ \t>]*-(?!-)(?P<item>[^\n]*)", re.M)
_ITEM = re.compile(r"[A-Za-z@][\w./-]+")
_TAG = re.compile(r"<(?P<close>/?)(?P<name>[a-z]+\d?)\b[^<>]*>", re.I)
_MARKS = {"code": "`", "b": "**", "strong": "**", "em": "**", "i": "**"}


def marker_of(text: str) -> re.Pattern[str]:
    """Matches what an item of a list in ``text`` begins with; ``answer`` is its ``A:``, if any.

    ``A:`` counts in a text that has a ``Q:``, and ``-name`` without a blank in one that has two
    or more items and all of them so.
    """
    dashed = [line["item"] for line in _DASHED.finditer(text)]
    is_glued = len(dashed) > 1 and all(map(_ITEM.match, dashed))
    return _MARKERS[is_glued, _QUESTION.search(text) is not None]


def _pattern(*, is_glued: bool, is_asked: bool) -> re.Pattern[str]:
    forms = f"{_FORMS}|{_GLUED}" if is_glued else _FORMS
    answer = f"(?P<answer>{_ANSWER})" if is_asked else "(?P<answer>(?!))"
    return re.compile(rf"[ \t>]*(?:{forms}|{answer})[ \t]*(?:\[[ xX]\][ \t]+)?")


_MARKERS = {
    (is_glued, is_asked): _pattern(is_glued=is_glued, is_asked=is_asked)
    for is_glued in (False, True)
    for is_asked in (False, True)
}


def without_tags(text: str) -> str:
    """A text with a list in HTML as Markdown has it, as long as before; any other text itself."""
    return _TAG.sub(_markdown, text) if "<li" in text.lower() else text


def _markdown(tag: re.Match[str]) -> str:
    """What stands for a tag, of its length."""
    name, is_closing, length = tag["name"].lower(), bool(tag["close"]), len(tag[0])
    if name in ("li", "ul", "ol"):
        return ("\n - " if name == "li" and not is_closing else "\n").ljust(length)
    if name == "a":
        return "]".ljust(length) if is_closing else "[".rjust(length)
    mark = _MARKS.get(name, "")
    return mark.ljust(length) if is_closing else mark.rjust(length)
