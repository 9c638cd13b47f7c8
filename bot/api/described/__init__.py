"""The parts of the OpenAPI description, one module for each resource."""
