"""The terminal dashboard: what the store holds, live, and a person's decisions.

::

    reading      one Snapshot of the store a second, on a connection of its own
    overview     rate, volume and counts, as text: also what ``--plain`` prints
    board        the tabs, and the loop that refreshes them
    *_pane       one tab each
    table        their rows under labels, painted a line each
    decisions    approve, roll back, reject, review a name: the only writes
    web          the same in a browser
    timing       how long it takes on a big store

Names and texts in the store come from models and registries: all of them pass through
`ghostbust.dashboard.widgets` on their way to the screen.
"""
