"""The embedded model and the benchmark's data: fetched once, checked, kept in the cache folder."""
