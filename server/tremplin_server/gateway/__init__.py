"""WebSockets: the control channel of the agents, the bus between workers, housekeeping."""
