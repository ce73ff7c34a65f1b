"""Analyses and drafts locally when the server of the settings cannot be used."""

from collections.abc import Callable

from adapters.model_servers import ServerMisconfigured, report_misconfigured
from domain.ports import Analyser, Drafter
from domain.tickets import DEFAULT_CURRENCY
from domain.values import Analysis, Draft, Transcript


class FallbackDrafter:
    """Asks the server, and the local analyser and drafter if the settings are at fault."""

    def __init__(
        self, analyser: Analyser, drafter: Drafter, local: Callable[[], tuple[Analyser, Drafter]], model: str
    ) -> None:
        self._analyser = analyser
        self._drafter = drafter
        self._local = local
        self._model = model

    def analyse(self, transcript: Transcript) -> Analysis:
        try:
            return self._analyser.analyse(transcript)
        except ServerMisconfigured as misconfigured:
            report_misconfigured("draft", self._model, misconfigured.fault)
            return self._local()[0].analyse(transcript)

    def draft(self, transcript: Transcript, analysis: Analysis, currency: str = DEFAULT_CURRENCY) -> Draft:
        try:
            return self._drafter.draft(transcript, analysis, currency)
        except ServerMisconfigured as misconfigured:
            report_misconfigured("draft", self._model, misconfigured.fault)
            return self._local()[1].draft(transcript, analysis, currency)
