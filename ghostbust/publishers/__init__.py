"""Publishers: where an adapter goes when it is promoted. One file per kind of place."""
