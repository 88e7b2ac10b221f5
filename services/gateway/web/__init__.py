"""The HTTP surface on Flask.

==============  ======================================================================
hosting         hosts server and application inside nameko
application     the Flask application: routes, refusals, headers, log
fast_routes     the routes with the highest rates, which bypass Flask
pages           documentation and the pages that links in mails lead to
routes          the routes, one module per audience
endpoints       how a route is declared, and how it calls a service
requests        credentials, headers, bodies and query strings
responses       answers, problem documents, pages of lists, files
schemas         what bodies, queries and answers look like
==============  ======================================================================

Imports run downwards only.
"""
