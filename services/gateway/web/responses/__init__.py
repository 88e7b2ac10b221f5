"""Makes responses: answers, problem documents, pages of lists, files."""
