"""The founding document's actors and offers, and its story played over HTTP."""
