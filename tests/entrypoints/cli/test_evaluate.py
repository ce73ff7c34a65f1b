"""The commands `evaluate stories` and `evaluate speech`."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import pytest

from domain.errors import StepFailed
from domain.values import Transcript
from entrypoints.composition import content
from tests.commands import run_here
from tests.fakes.speech import FakeTranscriber

RENT = "My name is Ana Silva. I need fifteen hundred dollars for rent."


def story(id: str, source: str, **labels: object) -> str:
    expected = {"name": "Ana Silva", "category": "HOUSING", "urgency": "HIGH", "goalAmount": 1500, "goalTolerance": 0}
    return json.dumps({"id": id, "set": source, "transcript": RENT, "expected": expected | labels})


@pytest.fixture
def stories(tmp_path: Path) -> Path:
    file = tmp_path / "stories.jsonl"
    lines = (story("a", "calls"), story("b", "calls", name="Ana Sousa"), "", story("c", "letters", goalAmount=None))
    file.write_text("\n".join(lines))
    return file


def test_shares_of_right_fields_are_given_for_all_and_for_each_source(stories, tmp_path):
    done = run_here("evaluate", "stories", stories, "--json", DATA_DIR=tmp_path / "none")
    figures = json.loads(done.stdout)
    assert done.returncode == 0
    assert figures["bySource"]["calls"] == {
        "n": 2, "name": 0.5, "goal": 1.0, "category": 1.0, "urgency": 1.0, "content": 0.5, "all": 0.5
    }  # fmt: skip
    assert (figures["n"], figures["bySource"]["letters"]["goal"], figures["all"]) == (3, 0.0, 0.3333)
    assert "details" not in figures
    assert not (tmp_path / "none").exists()


def test_details_hold_what_was_found_in_each_story(stories):
    figures = json.loads(run_here("evaluate", "stories", stories, "--details", "--json").stdout)
    fields = {"name": "Ana Silva", "goalAmount": 1500, "category": "HOUSING", "urgency": "HIGH"}
    assert figures["details"] == [{"id": id} | fields for id in "abc"]


def test_the_table_names_the_stories_with_wrong_fields(stories):
    output = run_here("evaluate", "stories", stories).stdout
    assert "all\t3\t66.7%\t66.7%\t100.0%\t100.0%\t33.3%\t33.3%" in output
    assert "b\tname: Ana Silva for Ana Sousa" in output


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"id": 1}'])
def test_a_file_without_labelled_stories_is_refused_in_one_line(tmp_path, text):
    file = tmp_path / "stories.jsonl"
    file.write_text(text)
    done = run_here("evaluate", "stories", file)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def record(path: Path, text: str | None, seconds: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1), sound.setsampwidth(2), sound.setframerate(8000)
        sound.writeframes(bytes(16000 * seconds))
    if text is not None:
        path.with_suffix(".txt").write_text(text)


@pytest.fixture
def transcriber(monkeypatch: pytest.MonkeyPatch) -> FakeTranscriber:
    fake = FakeTranscriber(Transcript("I need $1,500 for rent.", "en", "fake"))
    monkeypatch.setattr(content, "_transcriber", lambda *_: fake)
    return fake


def test_speech_is_measured_for_each_folder_and_the_worst_recording_comes_first(transcriber, tmp_path):
    record(tmp_path / "clean" / "one.wav", "I need fifteen hundred dollars for rent")
    record(tmp_path / "noisy" / "two.wav", "I need fifteen hundred dollars for food", seconds=3)
    record(tmp_path / "noisy" / "without-text.wav", None)
    done = run_here("evaluate", "speech", tmp_path, "--json")
    figures = json.loads(done.stdout)
    assert done.returncode == 0
    assert (figures["n"], figures["words"], figures["errors"], figures["audioSeconds"]) == (2, 12, 1, 5.0)
    assert figures["bySource"]["clean"]["wordErrorRate"] == 0.0
    assert figures["bySource"]["noisy"]["wordErrorRate"] == pytest.approx(1 / 6, abs=1e-4)
    assert figures["realTimeFactor"] >= 0
    worst = figures["recordings"][0]
    assert (worst["file"], worst["heard"]) == ("noisy/two.wav", transcriber.outcome.text)


def test_all_words_of_a_refused_recording_are_wrong(transcriber, tmp_path):
    transcriber.outcome = StepFailed("no_speech", "No speech was found.", retryable=False)
    record(tmp_path / "one.wav", "three words said")
    figures = json.loads(run_here("evaluate", "speech", tmp_path, "--json").stdout)
    assert (figures["refused"], figures["wordErrorRate"]) == (1, 1.0)
    assert "refused: no_speech" in run_here("evaluate", "speech", tmp_path).stdout


def test_a_transcriber_that_is_not_available_fails_the_command(transcriber, tmp_path):
    transcriber.outcome = StepFailed("unavailable", "The service is not available.", retryable=True)
    record(tmp_path / "one.wav", "three words said")
    done = run_here("evaluate", "speech", tmp_path)
    assert (done.returncode, done.stderr) == (1, "storyledger: The service is not available.\n")


def test_a_folder_without_texts_and_a_file_without_sound_are_refused(transcriber, tmp_path):
    record(tmp_path / "one.wav", None)
    assert run_here("evaluate", "speech", tmp_path).returncode == 1
    (tmp_path / "one.txt").write_text("said")
    (tmp_path / "one.wav").write_text("no sound")
    done = run_here("evaluate", "speech", tmp_path)
    assert done.returncode == 1
    assert "one.wav: this file" in done.stderr


def test_stories_are_drafted_from_what_is_heard_in_their_recordings(transcriber, stories, tmp_path):
    transcriber.outcome = Transcript("My name is Ana Silva. I need $1,600 for rent.", "en", "fake")
    record(tmp_path / "spoken" / "a.wav", None)
    record(tmp_path / "spoken" / "deeper" / "c.wav", RENT)
    arguments = ("evaluate", "stories", stories, "--recordings", tmp_path / "spoken")
    figures = json.loads(run_here(*arguments, "--details", "--json").stdout)
    assert (figures["n"], figures["name"], figures["goal"], figures["content"]) == (2, 1.0, 0.0, 0.0)
    assert [story["heard"] for story in figures["details"]] == [transcriber.outcome.text] * 2
    assert (figures["speech"]["n"], figures["speech"]["errors"]) == (2, 2)
    assert transcriber.hints[0][0] == "Ana Silva"
    assert "all\t2\t0\t22\t2\t9.1%" in run_here(*arguments).stdout


def test_a_refused_recording_is_a_story_with_nothing_in_it(transcriber, stories, tmp_path):
    transcriber.outcome = StepFailed("no_speech", "No speech was found.", retryable=False)
    record(tmp_path / "spoken" / "c.wav", None)
    output = run_here("evaluate", "stories", stories, "--recordings", tmp_path / "spoken").stdout
    assert "c\tname: None for Ana Silva" in output


def test_a_folder_without_recordings_of_the_stories_is_refused(transcriber, stories, tmp_path):
    record(tmp_path / "spoken" / "other.wav", None)
    done = run_here("evaluate", "stories", stories, "--recordings", tmp_path / "spoken")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
