"""Sessions: SSH inside the tunnel. Nothing here is imported by the agent's main process,
but `orders`, which is what the two say to each other."""
