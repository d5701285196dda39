"""Finds the packages a deployed code model invents and trains them away.

``import ghostbust`` loads no model library: torch, transformers and peft are
imported by the parts that need them, when they are used.
"""

__version__ = "0.1.0"
