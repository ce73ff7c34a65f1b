"""The steps around the handlers; `entrypoints.http.app` lists them in order.

ASGI middleware surrounds the whole application. Checks run for each call of an operation before its body is read, and
raise the Problem that refuses it. The audit trail and idempotency surround the handler. Webhooks and monitoring
operations pass only the ASGI middleware.
"""
