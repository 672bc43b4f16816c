"""Asks a multimodal model what each test clip shows, and keeps every answer, so that no question is sent twice."""
