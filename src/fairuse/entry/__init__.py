"""Ways in: gateway, middleware, server, command line."""
