"""What can go wrong between here and the broker, sorted by what the caller may conclude.

    TransportError
    ├─ Unroutable             no such channel: nothing was stored, and trying again will not help
    ├─ TopologyMismatch       the broker holds it with other arguments: the operator's to settle
    └─ TransportUnavailable   try again later; the outcome is unknown unless a subclass says more
        ├─ NotConnected       there was no connection to say it over: nothing was stored
        └─ ChannelFull        the channel is at its limit: nothing was stored

Texts name channels, exchanges and error classes only. They never quote a body, a header or the
broker's address, which may hold a password.
"""

from __future__ import annotations


class TransportError(Exception):
    """Something between here and the broker did not work."""


class Unroutable(TransportError):
    """No queue takes what is published to this channel; nothing was stored."""


class TopologyMismatch(TransportError):
    """The broker already holds a queue or an exchange of this name with other arguments."""


class TransportUnavailable(TransportError):
    """The transport did not answer in time, or is down.

    After a publish the outcome is *unknown*: the message may or may not be stored.
    Publish again under the same message id, and let the receiver recognise the double.
    """


class NotConnected(TransportUnavailable):
    """There was no connection when it was to be published; nothing left, nothing was stored."""


class ChannelFull(TransportUnavailable):
    """The channel is at its limit and refused the message; nothing was stored."""


class TopologyInvalid(ValueError):
    """A topology that cannot be declared; the text lists every fault with its key path."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)
