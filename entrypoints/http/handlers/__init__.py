"""One module an area of the HTTP interface: read the request, call the domain, return the answer."""
