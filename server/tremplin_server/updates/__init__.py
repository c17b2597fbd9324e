"""Updates of agents: who gets which version, when, and what became of it."""
