"""The database: every record of the line, each traceable to what made it.

::

    store.runs         who sampled what with which settings, the rate that came of it, its requests
    store.prompts      the pool of prompts, and what each has paid
    store.rewritings   uses of discovery's operators, and what each sample found
    store.answers      samples, the package refs in them, the verdicts on those
    store.lookups      the latest live verdict on each name
    store.ledger       invented names: how often, since when, claimed or not
    store.alarms       those that were claimed: when, by whom, and whom the alarm reached
    store.reviews      what people decided on them
    store.tallies      counts of what samples named, and of how often it comes back
    store.traffic      logs of production: how far they were read, what was counted
    store.rounds       rounds, their adapters, their gates
    store.round_sets   what rounds trained on
    store.promotions   the log of the deployed pointer
    store.published    which adapter was loaded where, and what it showed there
    store.jobs         the daemon's jobs: when each ran and is due, what was asked for
    store.spending     what was spent of each day's budgets
    store.retention    what is deleted after a while
    store.growth       what was added lately, and what waits

Every write is one transaction: a process that is killed leaves all of it or none. Tables and
columns are explained in docs/reference/store.md.
"""
