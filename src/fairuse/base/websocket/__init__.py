"""WebSockets: the client's side, the upstream's side, and how each may end."""
