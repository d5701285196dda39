"""The terminal dashboard: what the store holds, live, and a person's decisions on adapters.

::

    reading      one Snapshot of the store a second, on a connection of its own
    overview     rate, volume and counts, as text: also what ``--plain`` prints
    board        the tabs, and the loop that refreshes them
    *_pane       one tab each
    decisions    approve, roll back, reject: the only writes

Names and texts in the store come from models and registries: all of them pass through
`ghostbust.dashboard.text` on their way to the screen.
"""
