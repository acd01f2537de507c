"""Ingest measured beside the alternatives: drains of a full topic, and steady load with the delay until rows are seen."""
