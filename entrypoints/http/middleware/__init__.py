"""Middleware of the HTTP interface, in the order that `entrypoints.http.app` lists.

ASGI middleware surrounds the whole application. Call middleware surrounds one operation: it takes the call and the
next step, and either returns that step's result or raises the Problem that is the answer.
"""
