"""Where profiles are: by path, or by name in the folders that are searched, and then among those that are built in."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.errors import ProfileError
from runner.profile.builtin_profiles import builtin_profile, builtin_profiles
from runner.profile.home import home_expanded
from runner.profile.keys import redacted
from runner.profile.layers import shown
from runner.profile.suggestion import nearest

DIRECTORY_VARIABLE = "RT_RUN_PROFILES_DIR"
"""The one `RT_RUN_` variable that is not a setting."""
_MOST_NAMES = 10


def locate(name: str, *, profiles_dir: Path | None, environ: Mapping[str, str]) -> Path:
    """Find a profile by path or by name; the path is absolute.

    Raises:
        ProfileError: There is none; the message lists every place.
    """
    if is_path(name):
        path = _expanded(name, environ).absolute()
        if not _exists(path):
            hint = _near_path(name, path, profiles_dir, environ)
            raise ProfileError(redacted(f"there is no profile {shown(path)!r}"), hint=redacted(hint))
        return _named(path)
    folders = list(searched(profiles_dir, environ))
    places = [folder / f"{name}.toml" for folder in folders]
    for place in places:
        if _exists(place):
            return _named(place.absolute())
    if builtin := builtin_profile(name):
        return builtin
    listed = "".join(f"\n  {shown(place)}" for place in places)
    raise ProfileError(redacted(f"there is no profile {name!r}; searched{listed}"), hint=_near_name(name, folders))


def _named(path: Path) -> Path:
    """The path, if its file has a name that a session's files may have in theirs."""
    if not path.stem.strip("."):
        raise ProfileError(f"{shown(path)!r} has only dots for a name", hint="call the profile by a word")
    return path


def searched(profiles_dir: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    """The folders that are searched for names, first match wins; each once.

    Raises:
        ProfileError: A folder that was named does not exist: another profile of the same name would be taken.
    """
    config = environ.get("XDG_CONFIG_HOME", "")
    home = environ.get("HOME", "")
    named = {
        "--profiles-dir": _expanded(str(profiles_dir), environ) if profiles_dir is not None else None,
        DIRECTORY_VARIABLE: _variable(environ),
    }
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


def _expanded(path: str, environ: Mapping[str, str]) -> Path:
    """The path that an argument or a variable says, with the home directory in place of `~`."""
    try:
        return Path(home_expanded(path, environ)) if path.startswith("~") else Path(path)
    except ValueError as error:
        raise ProfileError(f"the path {path!r}: {error}") from None


def _variable(environ: Mapping[str, str]) -> Path | None:
    return _expanded(environ[DIRECTORY_VARIABLE], environ) if environ.get(DIRECTORY_VARIABLE) else None


def found(profiles_dir: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    """Every profile in every searched folder; of two with one name the first is the one that the name means."""
    for folder in searched(profiles_dir, environ):
        yield from sorted((path for path in _files(folder) if path.suffix == ".toml"), key=lambda path: path.stem)


def known(profiles_dir: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    """Every profile that a name can mean: those that are found, and then those that are built in."""
    yield from found(profiles_dir, environ)
    yield from builtin_profiles()


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


def _near_name(name: str, folders: list[Path]) -> str:
    own = sorted({path.stem for folder in folders for path in _files(folder) if path.suffix == ".toml"})
    builtin = [path.stem for path in builtin_profiles()]
    if near := nearest(name, [*own, *builtin], most=3):
        return f"did you mean {' or '.join(near)}?"
    if not own:
        return f"`rt-run init NAME --kind KIND` writes one; built in: {', '.join(builtin)}"
    listed = f"{', '.join(own[:_MOST_NAMES])}{', …' if len(own) > _MOST_NAMES else ''}"
    return f"found here: {listed}; built in: {', '.join(builtin)}"


def _near_path(given: str, path: Path, profiles_dir: Path | None, environ: Mapping[str, str]) -> str:
    """What a path may have meant: a name that is searched for, or a file beside it."""
    if "/" not in given and any(_exists(folder / path.name) for folder in searched(profiles_dir, environ)):
        return f"did you mean --profile {path.stem}? a name is searched for, and {given} is a path"
    near = nearest(path.name, [each.name for each in _files(path.parent) if each.suffix == path.suffix])
    return f"did you mean {given[: len(given) - len(path.name)]}{near[0]}?" if near else ""


def environment(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    """The given environment, or the process's own."""
    return os.environ if environ is None else environ
