"""Language models on this machine: fetched or found, converted, loaded, and compared in pairs."""
