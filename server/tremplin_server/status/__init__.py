"""How the site is: what is connected, what serves it, what runs out."""
