"""Chat with language models: one way for the model adapter and for the judge.

The contract, in the order of use:

- ``messages.ChatRequest``: what is asked; ``messages.ChatReply``: what came of it (``ok``, ``refused``, ``failed``).
- ``endpoint.Endpoint``: an OpenAI-compatible server and the name of the environment variable that holds its key.
- ``client.Client``: ``complete(requests)`` yields ``(index, reply)`` as replies come. ``connect.connect`` makes one:
  over HTTP (``http.HttpClient``), or in process (``hf:PATH``, ``local.LocalClient``).
- ``store``: a reply is put into the store the moment it arrives, before it is yielded, so that a killed process loses
  none that was paid for; what a store holds is never asked again.
- ``cost``: prices, the ledger that stops before ``max_cost`` is exceeded, and estimates for a dry run.
"""
