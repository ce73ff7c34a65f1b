"""The history in plain words: a sentence for each event, and the names of the fields and states that it changes.

The texts are messages of the catalogues; `N_` marks them, and the page translates them.
"""

from collections.abc import Mapping

from domain.values import OthersDecision, Role


def N_(message: str) -> str:  # noqa: N802 - the usual name for a mark that translates nothing
    """Mark a message for the catalogues."""
    return message


# A sentence for each class of `domain.events`, which ends where the name of its actor follows in a line of its own.
EVENT_SENTENCES: Mapping[str, str] = {
    "TicketOpened": N_("The story was opened."),
    "ContactChanged": N_("The contact was changed."),
    "ContactReindexed": N_("The way to find the contact was renewed. The contact is the same."),
    "DisplayNameChanged": N_("The name was changed."),
    "AudioUploaded": N_("A recording was received."),
    "RecordingDeleted": N_("A recording was deleted."),
    "ProcessingRequested": N_("The recording was sent to be written down."),
    "Transcribed": N_("The recording was written down."),
    "TranscriptCorrected": N_("The written text of a recording was corrected."),
    "DraftingRequested": N_("A new draft was asked for."),
    "TranscriptionFailed": N_("The recording could not be written down."),
    "Analysed": N_("The text of the recording was read for language and urgency."),
    "DraftProposed": N_("A draft was made from the recording."),
    "DraftingFailed": N_("No draft could be made."),
    "InfoRequested": N_("Something is missing in the draft."),
    "DraftEdited": N_("A person changed the draft."),
    "FindingDecided": N_("A person decided on a text that may be dangerous in public."),
    "AttachmentAdded": N_("A photo or a letter was added."),
    "AttachmentDeleted": N_("A photo or a letter was deleted."),
    "PictureChosen": N_("A photo was chosen for the page."),
    "PictureRemoved": N_("The photo was taken off the page."),
    "VoiceChosen": N_("A part of the recording was chosen for the page, or its text was corrected."),
    "VoiceRemoved": N_("The voice was taken off the page, and the part was deleted."),
    "ConsentGiven": N_("The person agreed that parts of the story are shown."),
    "ConsentWithdrawn": N_("The person no longer agrees that parts of the story are shown."),
    "DonorsThanked": N_("The person thanked those who gave."),
    "UpdatePosted": N_("The person told donors what happened since."),
    "UpdateRemoved": N_("A message to donors was removed."),
    "Published": N_("The page was published."),
    "Unpublished": N_("The page was taken down."),
    "PublicationRequested": N_("The workspace was asked to approve the page."),
    "Approved": N_("The page was approved."),
    "ChangesRequested": N_("The page is to be changed before it is approved."),
    "TicketSuspended": N_("The page was suspended."),
    "TicketReinstated": N_("The suspension ended."),
    "DocumentGenerated": N_("A document was made."),
    "CheckoutRequested": N_("Somebody began to give."),
    "CheckoutOpened": N_("The payment page was opened."),
    "CheckoutRefused": N_("The payment service did not open a payment page."),
    "CheckoutExpired": N_("The payment page closed without a payment."),
    "PaymentDelayed": N_("The donor pays in a way that takes some days."),
    "PaymentReceived": N_("A gift was paid."),
    "PaymentConfirmed": N_("The payment service said more about a paid gift."),
    "PaymentFailed": N_("A payment did not work."),
    "ReceiptNumbered": N_("The receipt of a gift got its number."),
    "DonorWordsHidden": N_("The words of a donor were taken off the page."),
    "DonorWordsShown": N_("The words of a donor are on the page again."),
    "DonorForgetRequested": N_("A donor asked to be forgotten. The name is kept as long as the law asks for it."),
    "DonorForgotten": N_("A donor was forgotten. The amounts stay."),
    "RefundRequested": N_("Paying a gift back was asked for."),
    "RefundProposed": N_("Somebody asked another person to approve paying a gift back."),
    "RefundProposalApproved": N_("Another person approved paying a gift back."),
    "RefundProposalDeclined": N_("Another person declined to pay a gift back."),
    "RefundAllRequested": N_("Paying back all gifts of the page was asked for."),
    "RefundAccepted": N_("The payment service accepted to pay back."),
    "RefundRefused": N_("The payment service refused to pay back."),
    "Refunded": N_("Money was paid back to the donor."),
    "RefundFailed": N_("Paying back did not work."),
    "RefundTotalReported": N_("The payment service reported how much was paid back in all."),
    "DisputeOpened": N_("The donor's bank disputes the payment."),
    "DisputeFundsWithdrawn": N_("The disputed money was taken away."),
    "DisputeFundsReinstated": N_("The disputed money was given back."),
    "DisputeClosed": N_("The dispute ended."),
    "DisputeReminderSent": N_("The organisation was reminded to answer the dispute."),
    "FeeCharged": N_("The payment service charged a fee."),
    "WorkspaceOpened": N_("The workspace was opened."),
    "WorkspaceClosed": N_("The workspace was closed."),
    "WorkspaceRenamed": N_("The workspace got another title."),
    "OrganisationDescribed": N_("The description of the organisation was changed."),
    "LogoChosen": N_("A logo was chosen."),
    "LogoRemoved": N_("The logo was removed."),
    "IntakeChanged": N_("It was changed who may open stories."),
    "PublishingChanged": N_("It was changed whether pages need an approval."),
    "WorkspaceDefaultsChanged": N_("The language or the currency of new stories was changed."),
    "RetentionChanged": N_("It was changed how long stories and names of donors are kept."),
    "MemberInvited": N_("Somebody was invited."),
    "InvitationRevoked": N_("An invitation was revoked."),
    "MemberJoined": N_("Somebody accepted the invitation."),
    "MemberReindexed": N_("The way to find a member's address was renewed. The address is the same."),
    "MemberNamed": N_("The name of a member was changed."),
    "MemberRoleChanged": N_("A member got another role."),
    "MemberRemoved": N_("A member was removed."),
    "MemberErased": N_("The address and the name of a former member were erased."),
    "DeskOpened": N_("The staff began to note how they work on the story."),
    "LabelsChanged": N_("The staff changed the labels."),
    "TicketAssigned": N_("Somebody of the staff takes care of the story."),
    "TicketUnassigned": N_("Nobody of the staff takes care of the story any more."),
    "DueDateSet": N_("The staff set a day by which they want to work on the story."),
    "DueDateCleared": N_("The staff took that day away."),
    "DueReminderSent": N_("The person who takes care of the story was reminded."),
    "NoteAdded": N_("The staff wrote a note for themselves."),
    "SupportTicketOpened": N_("Somebody asked for help."),
    "SupportReplied": N_("The staff answered a request for help."),
    "SupportAuthorReplied": N_("The person who asked for help wrote again."),
    "SupportAssigned": N_("Somebody takes care of a request for help now."),
    "SupportUnassigned": N_("Nobody takes care of a request for help now."),
    "SupportTicketResolved": N_("The request for help was answered."),
    "SupportTicketErased": N_("A request for help was erased."),
    "ErasureAnnounced": N_("The story was not used for long. It was announced that it will be erased."),
    "Erased": N_("The person was erased. Amounts and order stay."),
}

ACTORS: Mapping[str, str] = {
    Role.VISITOR: N_("Somebody who was not signed in"),
    Role.HOLDER: N_("The person of this story"),
    Role.CLIENT: N_("A program of the organisation"),
    Role.ADMIN: N_("An administrator"),
    Role.AUDITOR: N_("An auditor"),
    Role.MEMBER: N_("A member of the staff"),
    Role.STRIPE: N_("Stripe, the payment service"),
    Role.SYSTEM: N_("The service itself"),
}

FORMER_MEMBER = N_("A former member")

FIELDS: Mapping[str, str] = {
    "display_name": N_("Name"),
    "contact": N_("Contact"),
    "status": N_("State"),
    "suspended": N_("Suspended"),
    "title": N_("Title"),
    "story": N_("Story"),
    "goal": N_("Goal"),
    "currency": N_("Currency"),
    "beneficiary": N_("For whom"),
    "location": N_("Place"),
    "category": N_("Kind of need"),
    "breakdown": N_("How the money is used"),
    "error": N_("What went wrong"),
    "gift": N_("State of the gift"),
    "asked": N_("Amount asked for"),
    "paid": N_("Paid"),
    "refunded": N_("Paid back"),
    "disputed": N_("Disputed"),
    "donor": N_("Donor"),
    "total": N_("Total of the story"),
    "others": N_("Other people in the story"),
    "looked_by": N_("Who looked at that"),
    "note": N_("Who was asked"),
    "to_change": N_("What to change"),
}

OTHERS: Mapping[OthersDecision, str] = {
    OthersDecision.NOBODY: N_("There are none"),
    OthersDecision.AGREED: N_("They agree, or the person who cares for the child agrees"),
    OthersDecision.UNRECOGNISABLE: N_("Nobody can tell who they are"),
}

STATES: Mapping[str, str] = {
    "DRAFT": N_("Not written yet"),
    "RECORDING": N_("Recording received"),
    "PROCESSING": N_("Being written down"),
    "NEEDS_INFO": N_("Something is missing"),
    "READY": N_("Ready to publish"),
    "PUBLISHED": N_("Public"),
    "ERROR": N_("Something went wrong"),
    "ERASED": N_("Erased"),
    "PAYMENT_RECEIVED": N_("Gifts received"),
    "CREATED": N_("Not paid yet"),
    "PAID": N_("Paid"),
    "FAILED": N_("Payment did not work"),
    "REFUNDED": N_("Paid back"),
    "DISPUTED": N_("Disputed"),
    "EXPIRED": N_("Not paid, closed"),
}

ENTRY_KINDS: Mapping[str, str] = {
    "paid": N_("Gift paid"),
    "refunded": N_("Paid back"),
    "disputed": N_("Disputed"),
}
YES, NO = N_("yes"), N_("no")
CAUSED_BY_MESSAGE = N_("A message of the payment service, %(id)s")
CAUSED_BY_CHECKOUT = N_("This gift began in line %(line)s")
CAUSED_BY_REQUEST = N_("The recording was sent in line %(line)s")
CAUSED_BY_DRAFTING = N_("A new draft was asked for in line %(line)s")
CAUSED_BY_END_OF_CONSENT = N_("The time is over for which the person agreed to show the story.")
CAUSED_BY_DRAFT = N_("The draft of line %(line)s")
