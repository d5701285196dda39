"""The jobs on their schedule, beside the deployed model."""
