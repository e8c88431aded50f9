"""A second client for the Portcullis wire protocol, written from docs/protocol.md and test/vectors/ alone.

It is here to show that the document is complete, not to be used: it keeps secrets in ordinary objects, which Python
cannot erase.
Section numbers in comments are those of docs/protocol.md.
"""
