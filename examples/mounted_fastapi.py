"""The gateway's way as FastAPI middleware: `uvicorn mounted_fastapi:app`."""

from pathlib import Path

from fastapi import FastAPI

from fairuse import FairUse

CONFIG = Path(__file__).parent.parent / "config"

app = FastAPI()
app.add_middleware(FairUse, config=CONFIG)


@app.post("/locations/{location}/appointments", status_code=201)
async def book(location: str) -> dict[str, str]:
    """Accept an appointment."""
    return {"booked": location}
