"""Reports: what the store holds of a run, a round, a period or two adapters, to be handed on.

::

    Store ─run, round, period, comparison─▶ Report ─markdown, html, tidy_csv─▶ text

A report holds texts that others wrote (names, models, reasons) as ``Quoted``; whatever writes it
down keeps them harmless there. Unregistered names are redacted when it is made, unless asked for.
Nothing here samples, looks up or stores.
"""
