"""The database: every record of the line, each traceable to what made it.

::

    store.runs         who sampled what with which settings, and the rate that came of it
    store.prompts      the pool of prompts, and what each has paid
    store.rewritings   uses of discovery's operators, and what each sample found
    store.prompt_pool  the same as a person looks at it: what was taken out, too
    store.answers      samples, the package refs in them, the verdicts on those
    store.lookups      the latest live verdict on each name
    store.ledger       invented names: how often, since when, claimed or not
    store.repeats      how often each comes back when it is asked for again
    store.alarms       those that were claimed: when, by whom, and who has heard of it
    store.traffic      logs of production: how far they were read, what was counted
    store.rounds       rounds, their adapters, their gates
    store.promotions   the log of the deployed pointer
    store.tallies      counts of what samples named, for reports and exports
    store.published    which adapter was loaded where, and what it showed there
    store.growth       what came since it was last looked at, and what waits
    store.jobs         the daemon's jobs: when each ran and is due, what was asked for
    store.spending     what was spent of each day's budgets
    store.retention    what is deleted after a while
    store.reviews      what people said of invented names
    store.name_pages, store.sample_pages, store.prompt_pages
                       the same page by page, for a screen

Every write is one transaction: a process that is killed leaves all of it or none. Tables and
columns are explained in docs/reference/store.md.
"""
