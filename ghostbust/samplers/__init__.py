"""Models that answer prompts: one in this process, or one behind an OpenAI-compatible server."""
