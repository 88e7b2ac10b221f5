"""The HTTP surface itself: what every route shares.

==============  ======================================================================
application     the Flask application, put together
audience        how a route says what it takes, answers and refuses
fields          what may stand in a body or a query
parser          reads bodies and queries, strictly
problems        every code the platform refuses with; refusals to problem documents
security        who is asking: tokens and API keys
calls           one command or one query to a service, and the waits that follow a write
gate            what routes may use, handed over by the composition root
surface         hosts the application inside nameko
==============  ======================================================================
"""
