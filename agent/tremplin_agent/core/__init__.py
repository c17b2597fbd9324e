"""Pure parts of the agent: protocol state machine, back-off, identity, life cycle."""
