"""HTTP/1.1 over TCP, between the socket and the WSGI application.

==============  ======================================================================
refusals        answers given before the application sees a request
heads           request heads (RFC 9112 §2, §3, §5), parsed by llhttp
bodies          request bodies (RFC 9112 §6), read while the application asks for them
streams         a socket with a receive buffer and deadlines
responses       writes responses
connections     one connection: requests, the WSGI environment, keep-alive, closing
server          accepts connections, bounded in number
==============  ======================================================================

Imports run downwards only: nothing here knows Flask, the routes or the platform's problem documents.
"""
