"""`tremplin push`: Jump Clients installed on hosts over SSH, from the server."""
