"""Asks a multimodal model what each test clip shows, and keeps every answer, so that nothing is asked twice."""
