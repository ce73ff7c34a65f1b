"""The read model of workspaces and their settings."""

from __future__ import annotations

from adapters.postgres.database import Database
from domain.organisations import Intake, Organisation, Publishing, WorkspaceSettings
from domain.values import SYSTEM
from domain.workspaces import Workspace
from projections.workspaces import workspace_settings
from tests.projections.conftest import RecordAndFold

ORGANISATION = Organisation(
    legal_name="Shelter e.V.", address="Uferweg 3\n50667 Köln", reply_to="office@shelter.example"
)
SETTINGS = WorkspaceSettings("Shelter", ORGANISATION, Intake.INVITED, Publishing.APPROVAL, "es", "EUR")


def test_a_workspace_of_which_nothing_was_recorded_has_the_defaults(database: Database, record_and_fold: RecordAndFold):
    record_and_fold()
    with database.reading() as cursor:
        assert workspace_settings(cursor, "shelter") == WorkspaceSettings("shelter")


def test_the_settings_are_those_of_the_last_change(database: Database, record_and_fold: RecordAndFold):
    workspace = Workspace.open(SYSTEM, "shelter")
    workspace.change_settings(SYSTEM, WorkspaceSettings("A house", Organisation("Another"), currency="USD"))
    workspace.change_settings(SYSTEM, SETTINGS)
    record_and_fold(*workspace.collect_events(), *Workspace.open(SYSTEM, "kitchen").collect_events())
    with database.reading() as cursor:
        assert workspace_settings(cursor, "shelter") == SETTINGS
        assert workspace_settings(cursor, "kitchen") == WorkspaceSettings("kitchen")
