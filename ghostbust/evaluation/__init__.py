"""What an adapter did beyond its gates, measured so that it can't be gamed.

A model that names nothing invents nothing; one that pads its lists with famous names, names other
packages, or answers with garbage, has a fine rate too. So no rate stands alone: each way of winning
a figure loses another one, and the base sampled twice says how much two equal models differ.
Nothing here looks up or stores; the loop does.

==============  ====================================================================
behaviour       rates, supported and all names, which names, faults; base and adapter in a `Row`
figures         the records of these, tables, and what is objected to
relevance       how well the names fit the prompt, by the base's own probabilities
agreement       install lines beside imports; named packages beside the code asked about
locality        how far from the base, on package tokens and elsewhere
persistence     what is left after quantising, merging and fine-tuning
utility         coding tasks solved, and the likelihood of right solutions
suites          external prompts by path or package, and prompts that stress; never trained on
comparisons     several methods, ways of training, or ways of searching beside each other
tables, plots   all of these for people
extraction      not of a model: how well the extractor does on labelled snippets
==============  ====================================================================

What the figures of behaviour mean, and how each could be gamed: docs/guides/evaluation.md.
"""
