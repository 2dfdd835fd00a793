"""The profiles that come with rt-run: found last, so that a file of the same name takes the place of one."""

from pathlib import Path

FOLDER = Path(__file__).with_name("builtin")


def builtin_profile(name: str) -> Path | None:
    """The file of a built-in profile; None where there is none of this name."""
    return next((path for path in builtin_profiles() if path.stem == name), None)


def builtin_profiles() -> list[Path]:
    """The files of all built-in profiles, by name."""
    return sorted(FOLDER.glob("*.toml"), key=lambda path: path.stem)


def is_builtin(path: Path) -> bool:
    """Whether a file is that of a built-in profile, whose relative paths start where the user is."""
    return path.parent == FOLDER
