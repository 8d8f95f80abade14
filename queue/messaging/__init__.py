"""Messages between processes: envelopes, channels, a relay, a consumer, and two transports."""
