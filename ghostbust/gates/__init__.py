"""Gates: what a candidate must prove, against the base, before it may serve.

Each measures one thing with a margin fixed beforehand and returns a ``GateResult``: PASS, FAIL, or
INCONCLUSIVE where the figures allow neither. They fail closed: not run, out of time, too little
data or a broken sandbox is INCONCLUSIVE, and only PASS promotes. Gates know no store: models,
answers and earlier results are passed in.

=============  =====================================================================
hallucination  the rate of invented names on held-out prompts
volume         names that the base supports, and names in all, per answer
unknown        shares of names that nobody can judge, or that the base doesn't support
faults         empty, malformed and looping answers
coding         pass@1 of completions, run in the sandbox (sandbox, confinement, layers, inside)
likelihood     the log-likelihood of right solutions
=============  =====================================================================

The rules, with their figures, are in docs/concepts/gates.md.
"""
