"""Catalog: what culture there is, where, when and at what price, and the passing of event dates."""
