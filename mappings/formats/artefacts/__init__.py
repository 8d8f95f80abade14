"""What the hub publishes about its FHIR messages, generated from the mappings that make them."""
