"""What an adapter did beyond its gates, measured so that it can't be gamed.

A model that names nothing invents nothing; one that pads its lists with famous names, names
other packages, or answers with garbage, has a fine rate too. So no rate stands alone here: each
figure has others beside it that a way of winning it loses, and the base sampled twice says how
much two equal models differ. Where it acts, whether it lasts, and what external suites say, stands
beside. Nothing here looks up or stores; the loop does.

==============  ====================================================================
module          computes
==============  ====================================================================
rates           inventions per name and per answer, and on names that never trained
volume          real names per answer, and how long the lists are
overlap         how much of what the base recommends is still recommended
faults          empty, malformed and looping answers
behaviour       all of these for each model, and what is to be objected to
plots           the same, drawn
locality        how far from the base, on package tokens and elsewhere
persistence     what is left after quantising, merging, stress and fine-tuning
utility         coding tasks solved, and the likelihood of right solutions
suites          external prompts, by path or package; never trained on
tables          the figures of behaviour for people; section_tables has the others'
extraction      not of a model: how well the extractor does on labelled snippets
==============  ====================================================================

What the figures of behaviour mean, how each could be gamed and what catches that:
docs/guides/evaluation.md.
"""
