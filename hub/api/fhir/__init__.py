"""The FHIR door: messages, metadata, look-ups, and refusals as OperationOutcome."""
