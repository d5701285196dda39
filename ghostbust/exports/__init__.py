"""Exports: an adapter for other programs to serve, and the ledger for other programs to read.

==============  ====================================================================
module          writes
==============  ====================================================================
adapters        the adapter as it is (peft), or the model with the adapter in its weights (merged)
gguf_lora       the adapter for llama.cpp
ledger          invented names as JSON lines or CSV
datasette       invented names, alarms and runs as a SQLite database with views
cyclonedx       registered names that the model recommends, and the claimed ones among them
==============  ====================================================================
"""
