"""llama.cpp's chat server in a process of its own. Call: llama_server.py WEIGHTS.gguf FILE_FOR_THE_ADDRESS."""

import sys
import threading
from pathlib import Path

import xllamacpp

weights, place = sys.argv[1:3]
options = xllamacpp.CommonParams()
options.model.path = weights
options.hostnames = ["127.0.0.1"]
options.port = 0
options.n_ctx = 2048
options.n_parallel = 1
options.warmup = False
for threads in (options.cpuparams, options.cpuparams_batch):
    threads.n_threads = 1  # several of them wait for each other spinning, which a busy machine makes endless
server = xllamacpp.Server(options)
temporary = Path(place + ".tmp")
temporary.write_text(server.listening_address)
temporary.replace(place)
threading.Event().wait()
