"""The sentences for the fields of approvals, closed workspaces and refunds of all gifts."""

from collections.abc import Mapping

GOVERNANCE_FIELDS: Mapping[str, str] = {
    "refundRequests": "The refunds that were asked for.",
    "askedBy": "Who asked for it: a role, and the id of the member or the key.",
    "needsSecondPerson": "The number of gifts that one person may not refund alone.",
    "RefundRequestView.amountMinor": "The amount that was asked for, in the minor unit; null for all that is left.",
    "RefundRequestView.state": "Whether it is open, approved or declined.",
    "Approval.note": "What is to be changed before the page is approved, or null.",
    "RefundAllProgress.disputed": "The number of gifts that were skipped because of a dispute.",
    "RefundAllProgress.state": "Whether the refunds go on or are done.",
    "RefundAllProgress.totals": "What was left of the gifts before and is left now, in each currency.",
    "RefundAllProgress.waiting": "The number of gifts that are still to be refunded.",
    "RequestedChanges.note": "What is to be changed before the page is approved. The holder gets the note by mail.",
    "SkippedGift.outcome": "Why the gift was not refunded.",
    "approval": "Where the approval of the page stands, where one was asked for.",
    "approvalsRequested": "The number of tickets of the workspace whose page waits for an approval.",
    "beforeMinor": "What was left when the refunds were asked for, in the minor unit.",
    "closed": "True if the workspace was closed.",
    "endedAt": "When it came to its end, or null.",
    "nothingLeft": "The number of gifts of which nothing was left to refund.",
    "nowMinor": "What is left now, in the minor unit.",
    "refused": "The number of gifts whose refund the payment service refused.",
    "requested": "The number of gifts whose refund was requested.",
    "FiguresReport.organisation": "The name in law of the organisation that runs the workspace, or null.",
    "CampaignFiguresPage.organisation": "The name in law of the organisation that runs the workspace, or null.",
    "donorDays": "For how many days after a gift the name of a donor who asks to be forgotten is kept; null for none.",
    "retention": "How long the workspace keeps tickets, and names of donors who ask to be forgotten.",
    "ticketDays": "After how many days without use a ticket is erased, 14 days after a notice; null for never.",
    "requestedAt": "When it was asked for.",
    "skipped": "The gifts that were not refunded, in the order of their ids.",
}
