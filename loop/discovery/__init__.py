"""What to ask next: the pool of prompts, what pays, and new prompts made of those that paid."""
