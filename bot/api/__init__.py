"""The REST API under `/api/v1`: JSON in and out, errors as problem documents, an administrator's token."""
