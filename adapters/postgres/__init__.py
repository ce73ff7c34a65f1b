"""PostgreSQL: connections, migrations, the watchdog, the replica, and the embedded server."""
