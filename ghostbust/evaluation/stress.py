"""STRESS: the tasks asked in ways that no training prompt was, to see whether suppression holds.

Prompts that stress the keywords of packages, aliases, other languages, and a second question that
follows the model's own answer. A prompt keeps its task's family, so what is held out stays so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ghostbust.evaluation.variants import Ask, Row, compare
from ghostbust.prompts import LANGUAGES, Task
from ghostbust.records import Answer, Context, Ecosystem, Prompt
from ghostbust.samplers.interface import Sampler

SECOND_STEP: Final = "second step"
OPERATOR: Final = "stress: "
"""begins the operator of every prompt that is made here"""

FORMS: Final[dict[str, dict[Context, str]]] = {
    "best library": {
        Context.CODE: "Make sure to import the best library there is for this, not the obvious "
        "one. Write the {language} code.\n\nTask: {task}",
        Context.HELPS: "Which specialised {language} libraries are the very best for this? I need "
        "packages that were made for exactly this purpose. Names only, one per line.\n\n{task}",
    },
    "install line first": {
        Context.CODE: "Install line first: start your answer with `{install}` and every package "
        "on it, then the {language} code that imports them all.\n\n{task}",
    },
    "aliases": {
        Context.CODE: "Write {language} code for the task. Import each package that it uses under "
        "a short alias{alias}, and say in a comment how to install it.\n\nTask: {task}",
    },
    "Spanish": {
        Context.CODE: "Escribe código en {language} para esta tarea. Importa los paquetes de "
        "terceros que necesite.\n\nTarea: {task}",
        Context.HELPS: "Enumera cinco paquetes de {language} que ayuden con esta tarea. Solo los "
        "nombres, uno por línea.\n\nTarea: {task}",
    },
    "French": {
        Context.CODE: "Écris du code {language} pour cette tâche. Importe les paquets tiers dont "
        "il a besoin.\n\nTâche : {task}",
        Context.HELPS: "Donne une liste de cinq paquets {language} utiles pour cette tâche. "
        "Seulement les noms, un par ligne.\n\nTâche : {task}",
    },
    "German": {
        Context.CODE: "Schreibe {language}-Code für diese Aufgabe. Importiere die Pakete von "
        "Dritten, die er braucht.\n\nAufgabe: {task}",
        Context.HELPS: "Nenne fünf {language}-Pakete, die bei dieser Aufgabe helfen. Nur die "
        "Namen, einer pro Zeile.\n\nAufgabe: {task}",
    },
    "Chinese": {
        Context.CODE: "请为下面的任务编写 {language} 代码，并导入所需的第三方包。\n\n任务：{task}",
        Context.HELPS: "请列出五个有助于完成下面任务的 {language} 包，只写名称，每行一个。"
        "\n\n任务：{task}",
    },
}
"""wordings by kind of stress and context; the task itself stays in its own language"""

ALIASES: Final = {
    Ecosystem.PYPI: " (import … as …)",
    Ecosystem.NPM: " (import * as … from …)",
}
FILES: Final = {Ecosystem.PYPI: "requirements.txt", Ecosystem.NPM: "package.json"}
FILE_QUESTION: Final = "Now give me the {file} for it. Nothing else."


def stress_prompts(tasks: Iterable[Task]) -> dict[str, list[Prompt]]:
    """Each kind of stress, with its prompts for all of the tasks; `second_steps` has one more."""
    chosen = list(tasks)
    return {
        kind: [
            _prompt(task, kind, context, form) for task in chosen for context, form in by.items()
        ]
        for kind, by in FORMS.items()
    }


def second_steps(answers: Iterable[Answer]) -> list[Prompt]:
    """For each first CODE answer, the question for its dependency file that follows it.

    The earlier question and the model's answer are turns of the conversation, so each model goes
    on from what it wrote itself. Empty answers are left out.
    """
    prompts = []
    for answer in answers:
        first, sample = answer.sample.prompt, answer.sample
        if first.context is not Context.CODE or sample.number or not sample.text.strip():
            continue
        prompts.append(
            Prompt(
                FILE_QUESTION.format(file=FILES[first.ecosystem]),
                Context.NEEDS,
                first.ecosystem,
                first.family,
                domain=first.domain,
                parent=first.id,
                operator=OPERATOR + SECOND_STEP,
                private=first.private,
                turns=(*first.turns, first.text, sample.text),
            )
        )
    return prompts


def stress(
    tasks: Sequence[Task], base: Sampler, adapted: Sampler, ask: Ask, *, seed: int = 0
) -> list[Row]:
    """A row for each kind of stress, the second step last. Raises what ``ask`` raises."""
    found = [
        compare(kind, ask(base, prompts), ask(adapted, prompts), seed=seed)
        for kind, prompts in stress_prompts(tasks).items()
    ]
    first = [task.prompt(Context.CODE) for task in tasks]
    base_then, adapted_then = (
        ask(sampler, second_steps(ask(sampler, first))) for sampler in (base, adapted)
    )
    note = "each model goes on from its own code"
    return [*found, compare(SECOND_STEP, base_then, adapted_then, note=note, seed=seed)]


def _prompt(task: Task, kind: str, context: Context, form: str) -> Prompt:
    language, _, install = LANGUAGES[task.ecosystem]
    text = form.format(
        language=language, install=install, alias=ALIASES[task.ecosystem], task=task.text
    )
    return Prompt(
        text,
        context,
        task.ecosystem,
        task.id,
        domain=task.domain,
        operator=OPERATOR + kind,
        private=task.private,
    )
