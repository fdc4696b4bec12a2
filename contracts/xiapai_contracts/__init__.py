"""The public events of 下派 (干部下基层): types, encode and decode, JSON Schemas, AsyncAPI.

>>> from xiapai_contracts import registry, topics
>>> topics.CODEC.decode("posting.approved", 1, b'{"posting": "P1"}')
PostingApproved(posting='P1')
"""

__version__ = "0.1.0"
