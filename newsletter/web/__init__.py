"""What subscribers reach: the HTTP server and the public pages."""
