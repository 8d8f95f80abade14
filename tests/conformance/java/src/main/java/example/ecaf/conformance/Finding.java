package example.ecaf.conformance;

/**
 * One thing that an oracle says about a document.
 *
 * @param severity "fatal", "error", "warning" or "information"
 * @param code the oracle's own name for the kind of finding
 * @param place where in the document, as the oracle writes places
 * @param message the oracle's words
 */
record Finding(String severity, String code, String place, String message) {}
