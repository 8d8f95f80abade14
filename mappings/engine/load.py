"""Reads a mapping folder into `Written`: paths parsed, parts put in, canonical places looked up.

Everything that can be wrong with one file is found in one go, each with its line, column and caret.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path as FilePath
from posixpath import normpath
from typing import Final, Literal, cast

from hub.domain.messages import message_tree
from hub.positioned import (
    Fields,
    PositionedError,
    PositionedErrors,
    Problems,
    Value,
    read_file,
)
from mappings.engine.canonical import NoSuchPlace, Scope, types
from mappings.engine.model import Entry, Head, Lost, Written
from mappings.engine.overlays import Overlay, unmet
from mappings.engine.paths import Kind, Path
from mappings.engine.places import Here, Loader, filled, looked_up, needed, path, when
from mappings.engine.rules import rules
from mappings.engine.tables import Shelf

TOP: Final = (
    *("mapping", "version", "format", "content_type", "direction", "per", "accepts", "about"),
    *("let", "slots", "include", "envelope", "entries", "parts", "lost"),
)
INCLUDED: Final = ("entries", "parts", "lost")
LOST: Final = ("caf", "reason")
INCLUDABLE: Final = re.compile(r"(\.\./shared/)?[a-z0-9_-]+\.yaml")
"""A file beside the mapping, or one that it shares with those beside it."""
ENTRY: Final = ("resource", "each", "of", "key", "when", "rules", "about")


def load(
    folder: FilePath,
    codes: FilePath | Shelf,
    let: Mapping[str, str],
    shown: str,
    overlay: Overlay | None = None,
) -> Written:
    """Return the mapping in *folder*; raises `PositionedErrors` with every fault.

    *let* replaces the mapping's own values of the same name (the canonical base of a site).  With
    *overlay* it is the partner's form of the mapping.
    """
    loader = Loader(folder, Shelf.of(codes), shown, overlay)
    try:
        return _load(loader, let)
    except PositionedError as error:
        raise PositionedErrors([*loader.problems.errors, error]) from None


def read_head(folder: FilePath, shown: str) -> Head:
    """Return what the mapping in *folder* is for, and look at nothing else of it."""
    return _head(read_file(folder / "mapping.yaml", f"{shown}/mapping.yaml").mapping(*TOP))


def _head(top: Fields) -> Head:
    return Head(
        name=top.need("mapping").text(),
        format=top.need("format").text(),
        content_type=top.need("content_type").text(),
        direction=cast(
            'Literal["both", "out", "in"]',
            "both" if (way := top.get("direction")) is None else way.one_of("both", "out", "in"),
        ),
        accepts=() if (kinds := top.get("accepts")) is None else kinds.texts(),
        place=top.need("mapping").place,
    )


def _load(loader: Loader, let: Mapping[str, str]) -> Written:
    name = f"{loader.shown}/mapping.yaml"
    value = read_file(loader.folder / "mapping.yaml", name)
    top = value.mapping(*TOP)
    overlay = loader.overlay
    if (given := top.get("let")) is not None:
        for key, text in given.items():
            other = None if overlay is None else overlay.let.get(key)
            if other is not None:
                loader.let[key] = filled(loader, other, {})
            else:
                loader.let[key] = let.get(key) or filled(loader, text, {})
    if (given := top.get("slots")) is not None:
        loader.slots.update({key: text.text() for key, text in given.items()})
    _collect(loader, top)
    if (given := top.get("include")) is not None:
        for item in given.sequence():
            file = item.text()
            if not INCLUDABLE.fullmatch(file):
                item.error(
                    "an included file is a plain name ending in .yaml, beside this one or in "
                    "../shared"
                )
            known = set(loader.parts)
            named = normpath(f"{loader.shown}/{file}")
            _collect(loader, read_file(loader.folder / file, named).mapping(*INCLUDED))
            if file.startswith("../"):  # others use what this one does not
                loader.used.update(loader.parts.keys() - known)
    envelope = _entry(loader, "envelope", top.need("envelope"))
    entries = {}
    for key, one in loader.written.items():
        with loader.problems.kept():
            entries[key] = _entry(loader, key, one)
    for key, part in loader.parts.items():
        if key not in loader.used and overlay is None:
            with loader.problems.kept():
                part.error(f"no rule uses the part {key}: its rules can never match")
    version = top.need("version")
    if overlay is not None:
        loader.problems.errors += _overlaid(overlay, version.text(), loader).errors
    loader.problems.settle()
    head = _head(top)
    return Written(
        name=head.name,
        version=version.text(),
        format=head.format,
        content_type=head.content_type,
        direction=head.direction,
        accepts=head.accepts,
        per=cast(
            'Literal["message", "child"]',
            "message" if (each := top.get("per")) is None else each.one_of("message", "child"),
        ),
        file=name,
        place=head.place,
        let=dict(loader.let),
        envelope=envelope,
        entries=entries,
        lost=tuple(loader.lost),
        overlay=None if overlay is None else overlay.identity,
    )


def _overlaid(overlay: Overlay, version: str, loader: Loader) -> Problems:
    """Return what of *overlay* does not fit the mapping."""
    if overlay.mapping_version == version:
        return unmet(overlay, loader.let, ("envelope", *loader.written))
    stale = PositionedError(
        overlay.place,
        f"written for version {overlay.mapping_version} of {overlay.mapping}, which is version "
        f"{version} now: look at what changed, then say mapping_version: {version}",
    )
    return Problems([stale])


def _collect(loader: Loader, top: Fields) -> None:
    for name, store in (("entries", loader.written), ("parts", loader.parts)):
        if (given := top.get(name)) is not None:
            for key, value in given.items():
                if key in store:
                    value.error(f"{name} has {key} already")
                store[key] = value
    if (given := top.get("lost")) is not None:
        for item in given.sequence():
            with loader.problems.kept():
                fields = item.mapping(*LOST)
                loader.lost.append(
                    Lost(item.place, fields.need("caf").text(), fields.need("reason").text())
                )


def _entry(loader: Loader, name: str, value: Value) -> Entry:
    fields = value.mapping(*ENTRY)
    root = Scope(message_tree(), "")
    each = path(loader, fields.get("each"), {})
    of = fields.text("of")
    if each is not None and of is not None:
        value.error("an entry has each or of, not both")
    if of is not None:
        if of not in types():
            fields.need("of").error(f"the data dictionary has no {of}: {', '.join(types())}")
        scope = Scope(types()[of], "")
    elif each is not None:
        scope = _each(fields.need("each"), root, each)
    else:
        scope = root
    resource = needed(loader, fields.need("resource"), {})
    here = Here(scope, name, resource.steps[0].name)
    keys = fields.get("key")
    listed = () if keys is None else (keys.sequence() if keys.kind() == "list" else (keys,))
    own = tuple(rules(loader, fields.need("rules"), here))
    added = () if loader.overlay is None else loader.overlay.added(name)
    for one in added:
        own = (*own, *rules(loader, one, replace(here, own=False)))
    return Entry(
        name=name,
        place=value.place,
        resource=resource.steps[0],
        rules=own,
        each=each,
        of=of,
        key=tuple(looked_up(loader, one, here)[0] for one in listed),
        when=when(loader, fields.get("when"), here),
    )


def _each(value: Value, root: Scope, path: Path) -> Scope:
    scope: Scope | None = None
    rest: Path | None = Path(path.steps)
    here = root
    while rest is not None and rest.steps:
        parts = rest.split()
        if parts is None or parts[0].steps[-1].kind is not Kind.EACH:
            value.error("each must end in a list: name[]")
        try:
            found = here.resolve(parts[0])
        except NoSuchPlace as wrong:
            value.error(str(wrong))
        here, rest = Scope(found.members, found.path, here if scope is not None else None), parts[1]
        scope = here
    if scope is None:
        value.error("each must name a list")
    return scope
