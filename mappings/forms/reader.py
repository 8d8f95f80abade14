"""The hub's reader with the forms behind it: what was read is judged by the form that it names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub.ports import Clock, Read, Reader
from mappings.forms.forms import Forms
from mappings.forms.judging import judge


@dataclass(frozen=True, slots=True)
class FormReader:
    """A `hub.ports.Reader` that adds the form's notices to the warnings, and refuses old forms."""

    inner: Reader
    forms: Forms
    clock: Clock

    def content_types(self) -> Sequence[str]:
        """Return the content types that can be read."""
        return self.inner.content_types()

    def read(self, content_type: str, raw: bytes, *, partner: str) -> Read:
        """Return what *raw* says; raises as the reader behind it, and `InvalidContent` with
        ``E_FORM_PROFILE`` for a form that is not accepted today.
        """
        found = self.inner.read(content_type, raw, partner=partner)
        told = judge(self.forms, found.message, self.clock.now().date())
        return replace(found, warnings=(*found.warnings, *told)) if told else found
