"""Updates of an installed agent, in two halves that trust each other little.

`staging` runs in the agent, as its user: it takes the server's order, fetches the payload
into `var/update` and ends the agent. `settling` runs before each start as whoever owns
the code, root where root installed: it believes nothing of what is staged but the
signature of the server's key, which the installer wrote down.
"""
