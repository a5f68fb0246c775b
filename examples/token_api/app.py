"""A tiny language model: it says the prompt again, `n` times, and what that cost in tokens."""

from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

MOST_TOKENS = 4000  # what one answer can cost; the policy reserves as much


async def complete(request: Request) -> JSONResponse:
    """Answer a prompt; each of its words costs a token, and each word of the answer another."""
    asked = await request.json()
    prompt, times = str(asked["prompt"]), int(asked.get("n", 1))
    words = len(prompt.split())
    total = words + words * times
    if times < 1 or total > MOST_TOKENS:
        return JSONResponse({"error": f"at most {MOST_TOKENS} tokens a request"}, 400)
    return JSONResponse(
        {
            "id": f"cmpl-{uuid4().hex}",
            "choices": [{"index": index, "text": prompt} for index in range(times)],
            "usage": {
                "prompt_tokens": words,
                "completion_tokens": words * times,
                "total_tokens": total,
            },
        }
    )


app = Starlette(routes=[Route("/v1/completions", complete, methods=["POST"])])
