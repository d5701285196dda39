"""Sets of words written as text, and the words that continue a sentence.

Many sentence words are registered on PyPI all the same. In prose nobody means those: the
sentence goes on. In a shell script or in inline code the set isn't used.
"""

from __future__ import annotations


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
TOOL_WORDS = word_set(
    "tool tools utility utilities script scripts prefix flag flags cache runner package packages"
)
"""words that stand behind the name of a runner where prose speaks of it: ``the npx tool``"""
