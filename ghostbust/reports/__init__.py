"""Reports: what the store holds of a run, a round, a period or two adapters, to be handed on.

::

    Store ─subjects─▶ Report ─writers─▶ HTML, Markdown, CSV

`figures` computes rates from counts, `tables` has what several reports share, `document` the
records, `drawing` the plots of the HTML page. Texts that others wrote (names, models, reasons) are
``Quoted``; writers keep them harmless. Unregistered names are redacted when the report is made,
unless asked for. Nothing here samples, looks up or stores.
"""
