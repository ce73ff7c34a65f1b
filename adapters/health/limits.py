"""How late the work in the background may be, and how much of it may fail.

`storyledger doctor` and the record of the last day use these limits, and docs/monitoring/alerts.yml has the same.
"""

MOST_LAG_SECONDS = 60
MOST_WEBHOOK_WAIT_SECONDS = 300
MOST_CALL_WAIT_SECONDS = 300
MOST_JOB_WAIT_SECONDS = 300
MOST_MAIL_WAIT_SECONDS = 900
MOST_UNSIGNED_SECONDS = 900
MOST_FAILED_RUNS_PER_HOUR = 5
MOST_ANSWER_SECONDS = 1
MOST_BACKUP_AGE_SECONDS = 48 * 3600

# What is this many times later than a limit allows counts as not working, not only as slow.
FAILS_AFTER_LIMITS = 4
