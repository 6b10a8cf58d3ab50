"""Commands: what `mfsi` does, one module a step."""
