"""Transcribes locally when the server of the settings cannot be used."""

from collections.abc import Callable, Sequence
from typing import BinaryIO

from adapters.model_servers import ServerMisconfigured, report_misconfigured
from adapters.speech.errors import NO_SPEECH
from domain.errors import StepFailed
from domain.ports import Report, Transcriber
from domain.values import Transcript


class FallbackTranscriber:
    """Asks the server, and the local transcriber if the settings are at fault. The transcript names who answered."""

    def __init__(self, server: Transcriber, local: Callable[[], Transcriber], model: str) -> None:
        self._server = server
        self._local = local
        self._model = model

    def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
        try:
            return self._server.transcribe(recording, report, hints)
        except ServerMisconfigured as misconfigured:
            report_misconfigured("speech", self._model, misconfigured.fault)
            try:
                return self._local().transcribe(recording, report, hints)
            except StepFailed as failed:
                # The server might know a language that the local engine refuses, so the recording is not to blame.
                if failed.retryable or failed.code == NO_SPEECH:
                    raise
                raise misconfigured from None
