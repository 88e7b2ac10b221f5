"""The actors and offers of the founding document, and its story, played over HTTP."""
