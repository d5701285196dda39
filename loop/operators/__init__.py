"""Operators: small named ways to make a new prompt of one that paid off.

An operator that needs no model works on the text alone: it costs nothing and never writes
nonsense. The model under watch is asked only for what rules can't do.
"""
