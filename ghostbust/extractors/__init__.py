"""Finds every place where an answer names a package.

``examine`` is the entry: it splits the answer into blocks, lets the back-ends for each block
read it, adds the flags that need the whole answer, and says what took too much to be read.
``extract`` is its refs alone. To add a language, write a back-end
(``interface.Extractor``), add it to ``EXTRACTORS``, and say in ``_readers`` which blocks it reads.
"""
