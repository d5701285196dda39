"""Unlearners: from logged answers to sets, masks, a loss, and a trained candidate adapter."""
