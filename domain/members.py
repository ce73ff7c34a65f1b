"""The values of workspaces and their members."""

from enum import StrEnum


class MemberRole(StrEnum):
    """The role of a member in a workspace; the access table has the operations of each."""

    OWNER = "owner"
    ADMIN = "admin"
    CASEWORKER = "caseworker"
    ACCOUNTANT = "accountant"
    AUDITOR = "auditor"
