"""What `ghostbust eval` measures of a model, beside what the gates decide by."""
