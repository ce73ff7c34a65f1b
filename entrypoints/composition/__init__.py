"""How the service is put together: one module a part, built from settings and the parts below it."""
