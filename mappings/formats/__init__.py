"""How each wire format is parsed, checked and written: the home of fhir.resources and lxml."""
