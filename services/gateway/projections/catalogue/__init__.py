"""The public read model of the catalogue: the offers that anyone may browse.

==============  ======================================================================
tables          its tables, which the gateway's migration 0002 creates
writing         what reactions to messages of catalog, booking and identity write
rendering       an offer as the public sees it
queries         one offer, and the search
offer_cache     offers that were read a moment ago, ready to send
cursors         where a search stopped
words, places   text search and distances
==============  ======================================================================

Catalog owns the rules of offers, booking the places left. This package only stores what they published, arranged so
that it is found fast and sent without being computed again.
"""
