"""Where profiles are: by path, or by name in the folders that are searched."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.errors import ProfileError
from runner.profile.layers import shown

DIRECTORY_VARIABLE = "RT_RUN_PROFILES_DIR"
"""The one `RT_RUN_` variable that is not a setting."""


def locate(name: str, *, profiles_dir: Path | None, environ: Mapping[str, str]) -> Path:
    """Find a profile by path or by name; the path is absolute.

    Raises:
        ProfileError: There is none; the message lists every place.
    """
    if is_path(name):
        path = Path(name).absolute()
        if not _exists(path):
            raise ProfileError(f"there is no profile {shown(path)!r}", hint=_near(path.stem, [path.parent]))
        return path
    folders = list(searched(profiles_dir, environ))
    places = [folder / f"{name}.toml" for folder in folders]
    for place in places:
        if _exists(place):
            return place.absolute()
    listed = "".join(f"\n  {shown(place)}" for place in places)
    raise ProfileError(f"there is no profile {name!r}; searched{listed}", hint=_near(name, folders))


def searched(profiles_dir: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    """The folders that are searched for names, first match wins; each once.

    Raises:
        ProfileError: A folder that was named does not exist: another profile of the same name would be taken.
    """
    config = environ.get("XDG_CONFIG_HOME", "")
    home = environ.get("HOME", "")
    named = {"--profiles-dir": profiles_dir, DIRECTORY_VARIABLE: _variable(environ)}
    for origin, folder in named.items():
        if folder is not None and not folder.is_dir():
            raise ProfileError(f"{origin}: there is no folder {shown(folder.absolute())}")
    candidates = [
        *named.values(),
        Path("profiles"),
        Path(config) / "rt-run" / "profiles" if config.startswith("/") else None,
        Path(home) / ".config" / "rt-run" / "profiles" if home and not config.startswith("/") else None,
        Path("/etc/rt-run/profiles"),
    ]
    seen: set[Path] = set()
    for folder in candidates:
        if folder is not None and folder.absolute() not in seen:
            seen.add(folder.absolute())
            yield folder.absolute()


def _variable(environ: Mapping[str, str]) -> Path | None:
    return Path(environ[DIRECTORY_VARIABLE]) if environ.get(DIRECTORY_VARIABLE) else None


def found(profiles_dir: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    """Every profile in every searched folder; of two with one name the first is the one that the name means."""
    for folder in searched(profiles_dir, environ):
        yield from sorted(path for path in _files(folder) if path.suffix == ".toml")


def is_path(name: str) -> bool:
    """Whether an argument means a path rather than a name."""
    return "/" in name or name.endswith(".toml")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:
        return []


def _near(name: str, folders: list[Path]) -> str:
    import difflib

    names = {path.stem for folder in folders for path in _files(folder) if path.suffix == ".toml"}
    near = difflib.get_close_matches(name, sorted(names), n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(sorted(names)[:10])}" if names else "`rt-run init NAME --kind local` writes one"


def environment(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    """The given environment, or the process's own."""
    return os.environ if environ is None else environ
