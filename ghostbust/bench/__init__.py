"""How well ghostbust's own parts do, measured on labelled data."""
