"""Events of what the service does about a dispute; those that Stripe reports are with the other facts of Stripe."""

from domain.events.base import DonationEvent


class DisputeReminderSent(DonationEvent):
    """The owners and admins of the workspace were reminded that evidence is due soon."""

    TOPIC = "dispute_reminder_sent"
    dispute_id: str
    evidence_due_by: int
