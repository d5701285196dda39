"""The guard: no invented name leaves the server, before anything is trained."""
