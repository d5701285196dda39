"""What every extractor back-end looks like, and the languages a block of code can have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ghostbust.records import PackageRef


class Language(StrEnum):
    """What the text to extract from is written in."""

    AUTO = "auto"
    """prose with code in it: read the fences, and look at what they hold"""
    PYTHON = "python"
    JAVASCRIPT = "javascript"
    SHELL = "shell"


class Extractor(Protocol):
    """Finds package refs of some kinds in one slice of an answer. Holds no state, never raises."""

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """The refs in ``text``, with spans in the answer that holds it at ``offset``.

        Order doesn't matter, and a span may come twice: the caller sorts and drops repeats,
        the first one stays. Flags that need the whole answer or the prompt are the caller's.
        """
        ...


# --- placed
# A piece of text that knows where each of its characters stands in the text it was read from.


@dataclass(frozen=True, slots=True)
class Placed:
    """What was written, quotes and escapes removed."""

    value: str
    at: Sequence[int]
    """offset of each character of ``value`` in the text it was read from"""

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """Place of ``value[start:end]`` in the text; None where it isn't in one piece there."""
        if start >= end:
            return None
        first, last = self.at[start], self.at[end - 1]
        return (first, last + 1) if last - first == end - 1 - start else None

    def part(self, start: int, end: int) -> Placed:
        """The same for ``value[start:end]``."""
        return Placed(self.value[start:end], self.at[start:end])


def plain(text: str, start: int, end: int) -> Placed:
    """``text[start:end]``, every character standing for itself."""
    return Placed(text[start:end], range(start, end))


# --- unread
# What was not read, or by lines only, because it is too long or takes a parser too much work.
#
# A parser that gives up says so here, however deep below ``examine`` it was called; ``examine``
# ties
# the reason to the block that it reads. Without this every function between them would carry it.

_reasons: ContextVar[list[str] | None] = ContextVar("reasons", default=None)


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of a text that was not read, or only line by line, so that names may be missing."""

    start: int
    """offset in the text, in code points"""
    end: int
    reason: str
    """why, in a few words: ``JavaScript that takes the parser too much work``"""


def give_up(reason: str) -> None:
    """Notes that something in the block being read wasn't parsed. Does nothing elsewhere."""
    reasons = _reasons.get()
    if reasons is not None and reason not in reasons:
        reasons.append(reason)


@contextmanager
def noted() -> Iterator[list[str]]:
    """Collects the reasons given within, each once, in order."""
    reasons: list[str] = []
    token = _reasons.set(reasons)
    try:
        yield reasons
    finally:
        _reasons.reset(token)


# --- vocabulary
# Sets of words written as text, and the words that continue a sentence.
#
# Many sentence words are registered on PyPI all the same. In prose nobody means those: the
# sentence goes on. In a shell script or in inline code the set isn't used.


def word_set(text: str) -> frozenset[str]:
    """The words of ``text`` between white space."""
    return frozenset(text.split())


SENTENCE_WORDS = word_set(
    """
    a about above additional after afterwards again all along already also although always an
    and another any anything are as at automatically available be because been before being
    below both but by can certainly command commands correctly could dependencies dependency did
    different directly do does done during each either else ensure etc every everything finally
    first following for from further globally had has have hello help here hi how however i if
    in inside install installation installed installing installs instead into is it its itself
    just later latest let libraries library like locally make many may me might missing module
    modules more most multiple must my necessary need needed needs new next no not now of off ok
    okay on once one only open or other our out over package packages please possible prior
    properly provided recommended required requirements requires run running runs same section
    see several should simply since so some something specific specified step still successfully
    such sure terminal than thank thanks that the their them then there therefore these they
    thing things this those through thus to too twice under unless until up use used uses using
    usually version via was way we well were what when where which while who whole will with
    within without would yes yet you your yours
    across adds against allow allows among brings builds causes comes contains converts
    creates depends downloads enables executes fail failed fails fetches fixes
    gave get gets give gives handles happens helps imports includes keep lets made make makes
    manually means nor offers opens prints provide provides pulls ran
    reads replace requirement resolves sets shows solves starts stays
    stops supports takes tells throws tries unlike upgrades wants
    why works worked writes
    """
)
_ABOUT_COMMANDS = word_set(
    """
    behaves breaks bricks clones complains completes corrupts crashes deletes dies doesn't
    errors exits finishes freezes gets hangs hung ignores installed keeps leaves lives loops
    never outputs overwrites puts raises refuses removes reports respects returns returned
    saves skips slows spits stalls starts succeeded succeeds terminates times triggers updates
    updated verifies broke hurts matters reported seems
    eats blocks followed completely daily entirely ever faster nightly occasionally often
    anymore beforehand nowadays partially quickly rarely regularly silently slower slowly sometimes
    today tomorrow weekly yesterday
    """
)
"""verbs and adverbs that a sentence about a command goes on with: ``if npm install hangs``"""
_EUROPEAN = word_set(
    # German
    """
    ab aber alle als also am an auch auf aus bei beide bereits bevor bis da dabei dafür damit
    danach dann darauf das dass davor dazu dem den denn der des die dies diese diesem diesen
    dieser dieses durch ein eine einem einen einer einfach eines entweder erneut erst es falls
    fehlt für funktioniert gegen genügt geht hat hier hilft ihr im in ins installieren
    installiert installierst ist jetzt kann kannst klappt können läuft man mit müssen musst
    nach neu nicht nichts noch nochmal nun nur ob oder ohne reicht schlägt sein sich sicher sie
    sind so sollte solltest sondern sowie startet statt über um und unter vom von vor vorher warten
    wenn werden wie wieder wird wirft wo wurde zu zuerst zum zur zusätzlich zwischen
    """
    # French
    """
    afin ainsi alors après au aussi aux avant avec ça car ce ceci cela ces cet cette chez comme
    dans de depuis des donc dont du échoue elle en encore ensuite est et être exécutez fait
    faut fonctionne installe ici il ils je la le les leur lorsque lui mais même ne ni nous on
    ou où par pas pendant permet peut plus pour puis qu quand que qui renvoie sans sera si sinon
    son sont sous suffit suivi sur tout tous un une va vers vient vos votre vous
    """
    # Spanish
    """
    además ahora al algo antes así aunque cada como con cuando cual de debe debería deberías
    desde después donde durante e el ella en entonces entre es esa ese eso esta está este esto
    falla funciona funcionará hasta hay la las le les lo los luego más mientras muy nada ni
    no nuevamente o otra otro para pero por porque primero puede puedes que se según ser si
    siempre sin sino sobre solo son su sus también tanto te tiene todo todos tras tu un una
    unas uno unos usa ya y
    """
    # Portuguese
    """
    agora ainda além antes ao aos apenas após as até cada com como da das de depois deve dele
    do dos e ela ele em enquanto então entre essa esse esta está este eu falha foi isso isto já
    mais mas na nas nem no nos novamente num numa ou para pela pelo pode por porque pra primeiro
    quando que se seguida sem ser seu sua são só sobre também tem toda todo todos um uma uns
    você
    """
    # Italian
    """
    agli al alla alle allo anche ancora appena che ci come con cosa crea da dagli dal dalla dei
    della delle dello deve di dopo dove e è ed esegui fallisce fino fra funziona gli i il in
    insieme installa invece la le lo ma nel nella nelle né non o oppure per perché però più poi
    prima può puoi quando questa questo quindi se sei senza si sia sono sopra su sul sulla tra tutti
    tutto un una uno viene
    """
    # Dutch
    """
    aan achter al als alleen beide bij daarna dan dat de deze die dit door dus een eerst en er
    faalt geen gebruik heb heeft het hier ik in is je kan kun maar met moet na naar niet nog nu
    of om ook op opnieuw over te tegen tot totdat tussen uit uw van vanuit vervolgens via voor
    voordat want wat werkt wordt zal zoals zodat zonder
    """
)
"""function words of languages that answers come in, and verbs that follow a command in them;
not those under which much-used packages stand: ``del``, ``ora``"""
_ALSO_ENGLISH = word_set("am come den die door dove du he man me per plus son van was")
COMMAND_NOUNS = word_set(
    """
    approach attempt attempts behavior behaviour bug bugs command commands docs documentation
    environment environments error errors failure failures flow functionality instruction
    instructions issue issues log logs operation operations option options output phase problem
    problems process recipe recipes result results stage step steps support syntax target targets
    task tasks time times usage workflow workflows entry line lines logic script scripts
    """
)
"""words that a command's name stands in front of as an adjective: ``the pip install process``"""
DETERMINERS = word_set(
    "the a an this that these those each every any some no another your our my its their failed "
    "failing successful whole entire"
)
"""words that make a command behind them a noun"""
DEMANDING = word_set(
    "use uses using used run runs running ran try tried trying with via by call calls calling type "
    "execute executing enter do doing to and then or please just simply can could should must "
    "may might will i you we"
)
"""words behind which a sentence runs a program that has no verb: ``use npx serve``"""
SENTENCE_SIGNS = word_set("the to of and you your this that is are")
"""words that no command has among its arguments: where one stands, a sentence does"""
FOREIGN_WORDS = frozenset(
    word
    for word in _EUROPEAN - SENTENCE_WORDS - _ABOUT_COMMANDS
    if len(word) > 1 and word not in _ALSO_ENGLISH
)
"""words that show a sentence to be in another language than English"""
PROSE_WORDS = SENTENCE_WORDS | _ABOUT_COMMANDS | _EUROPEAN
"""words that end a command in a sentence, whichever of these languages it is in"""
TOOL_WORDS = word_set(
    "tool tools utility utilities script scripts prefix flag flags cache runner package packages"
)
"""words that stand behind the name of a runner where prose speaks of it: ``the npx tool``"""
PACKAGE_STEMS = (
    "package", "paket", "paquet", "pacchett", "pacote", "librar", "bibli", "librer", "modul",
    "módul", "包", "库", "模块", "パッケージ", "ライブラリ", "패키지",
)  # fmt: skip
"""what words for packages, libraries and modules begin with"""
