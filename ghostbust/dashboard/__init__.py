"""The terminal dashboard: what the store holds, live, and a person's decisions.

::

    app          the tabs, and the loop that reads and shows every second
    pane         what the tabs share
    answer_panes what the model said: names, samples, prompts
    work_panes   what was done about it: rounds, adapters, jobs
    overview     the first tab as text: also what ``--plain`` prints
    reading      a `StoreSnapshot` for a `Query`, from a connection that only reads
    details      one answer and one round, cut and compared for the eye
    decisions    approve, roll back, reject, review a name: the only writes
    table        a table that keeps its place
    widgets      cells and plots: whatever comes from the store passes through `cell`
    web          the same in a browser
"""
