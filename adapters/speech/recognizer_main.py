"""The recogniser's process: loads the model once, confines itself, and answers one request after the other.

It never reads a stranger's file: the samples come decoded, through standard input. A request is a line of JSON with
the number of bytes that follow it; the answer is a line of JSON.
"""

import json
import os
import signal
import sys

from adapters.confined.child_main import end_with_parent, enter_child, others, packages
from adapters.confined.confinement import confine
from adapters.speech.model import ModelUnusable, check, model_of


def main() -> None:
    """Serve until standard input ends. An unexpected error ends the process without an answer."""
    request = json.loads(sys.argv[1])
    answer = enter_child(request)
    requests = os.fdopen(os.dup(0), "rb")

    def send(message: object) -> None:
        answer.write(json.dumps(message).encode() + b"\n")
        answer.flush()

    model = model_of(request["model"])
    try:
        check(model)
        from adapters.speech.recognition import Recognition

        recognition = Recognition(model, request["device"])
    except ModelUnusable as unusable:
        send({"unusable": str(unusable)})
        return
    except (RuntimeError, ValueError, OSError) as error:
        send({"unusable": f"the speech model cannot be loaded ({type(error).__name__})"})
        return
    confine(packages(), others())
    # The kernel forgets this when the account changes.
    end_with_parent(request["parent"])
    send({"ready": True})
    for line in requests:
        _allow_cpu(request["window_cpu_seconds"])
        task = json.loads(line)
        content = requests.read(task["bytes"])
        if "language" in task:
            send({"words": recognition.words(content, task["language"], task["hints"])})
        else:
            send({"languages": recognition.languages(content)})


def _allow_cpu(seconds: int) -> None:
    """Let the kernel end this process when the request has used so much processor time."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
