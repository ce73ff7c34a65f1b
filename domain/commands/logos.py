"""The commands for the logo of a workspace."""

from dataclasses import dataclass

from domain.errors import NotAnAttachmentError
from domain.organisations import Logo
from domain.ports import InspectedAttachment, Logos, Workspaces
from domain.values import Actor
from domain.workspaces import Workspace

NO_PICTURE = "A logo is a picture: a PNG or JPEG file."


@dataclass(frozen=True)
class LogoCommands:
    workspaces: Workspaces
    logos: Logos

    def choose(self, actor: Actor, workspace: str, inspected: InspectedAttachment) -> None:
        """Show this picture, encoded anew and small, as the logo; NotAnAttachmentError for a PDF."""
        if inspected.small is None or inspected.width is None or inspected.height is None:
            raise NotAnAttachmentError(NO_PICTURE)
        image = inspected.small.read()
        self._change(actor, workspace, self.logos.keep(workspace, image, inspected.width, inspected.height))

    def remove(self, actor: Actor, workspace: str) -> None:
        self._change(actor, workspace, None)

    def _change(self, actor: Actor, workspace: str, logo: Logo | None) -> None:
        def decide(loaded: Workspace) -> Logo | None:
            former = loaded.settings.logo
            loaded.choose_logo(actor, logo)
            return former

        former = self.workspaces.change(workspace, decide)
        if former is not None and former != logo:
            self.logos.delete(workspace, former)
