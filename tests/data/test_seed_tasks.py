"""The shipped seed tasks are many, distinct, evenly spread, and name no Python library."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib import resources
from itertools import combinations

import pytest

TASK_COUNT = 320
DOMAIN_COUNT = 20
MIN_PER_DOMAIN = 12
MAX_SIMILARITY = 0.7
"""Jaccard index of two tasks' word sets from which they count as near duplicates"""
LENGTH_LIMITS = (40, 220)
"""shortest and longest task, in characters"""

LIBRARIES = """
    aiohttp aiogram airflow ansible apscheduler asyncpg attrs beautifulsoup biopython bokeh boto3
    bs4 cartopy catboost celery click cryptography cv2 dash dask django duckdb fabric faiss falcon
    fastapi fiona flask gensim geopandas gevent gradio httpx huggingface hypothesis jax jinja jinja2
    joblib keras langchain lightgbm librosa lxml matplotlib moviepy mutagen mypy networkx nltk numba
    numpy opencv openpyxl paramiko pandas peewee pillow playwright plotly poetry polars psutil
    psycopg pyarrow pydantic pydub pygame pymongo pyserial pytest pytorch rasterio rdkit reportlab
    rich ruff scapy scikit scipy scrapy seaborn selenium shapely sklearn spacy sqlalchemy starlette
    statsmodels streamlit sympy tensorflow tiktoken torch tornado tox tqdm transformers tweepy
    twisted typer uvicorn werkzeug xarray xgboost
"""
"""Libraries a task must not name: a package that stood in the prompt says nothing of the model.
Services, formats and protocols may share their name with a client library and are allowed."""


def words(text: str) -> frozenset[str]:
    """The set of lower-case words of the text, digits included."""
    return frozenset(re.findall(r"[a-z0-9]+", text.lower()))


def similarity(left: frozenset[str], right: frozenset[str]) -> float:
    """The Jaccard index of two word sets, in [0, 1]."""
    return len(left & right) / len(left | right)


@pytest.fixture(scope="module")
def lines() -> list[dict[str, str]]:
    """The records of the shipped file, in its order."""
    text = resources.files("ghostbust.data").joinpath("seed_tasks.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_has_the_three_fields_and_no_other(lines: list[dict[str, str]]) -> None:
    assert len(lines) == TASK_COUNT
    for line in lines:
        assert list(line) == ["id", "domain", "task"]
        assert all(isinstance(value, str) for value in line.values())


def test_ids_and_texts_are_unique(lines: list[dict[str, str]]) -> None:
    assert len({line["id"] for line in lines}) == len(lines)
    assert len({line["task"].casefold() for line in lines}) == len(lines)


def test_ids_are_the_domain_and_a_number_counted_from_one(lines: list[dict[str, str]]) -> None:
    seen: Counter[str] = Counter()
    for line in lines:
        seen[line["domain"]] += 1
        slug = line["domain"].replace(" ", "-")
        assert line["id"] == f"{slug}-{seen[line['domain']]:02d}"


def test_domains_are_twenty_and_none_is_thin(lines: list[dict[str, str]]) -> None:
    counts = Counter(line["domain"] for line in lines)
    assert len(counts) == DOMAIN_COUNT
    assert min(counts.values()) >= MIN_PER_DOMAIN


def test_lengths_lie_within_the_limits(lines: list[dict[str, str]]) -> None:
    shortest, longest = LENGTH_LIMITS
    outside = [line["id"] for line in lines if not shortest <= len(line["task"]) <= longest]
    assert outside == []


def test_short_and_long_tasks_both_occur(lines: list[dict[str, str]]) -> None:
    lengths = [len(line["task"]) for line in lines]
    assert sum(length < 60 for length in lengths) >= 16
    assert sum(length > 180 for length in lengths) >= 16


def test_tasks_are_plain_whole_sentences(lines: list[dict[str, str]]) -> None:
    for line in lines:
        assert re.fullmatch(r"[A-Z][ -~]*\.", line["task"]), line["id"]
        assert "  " not in line["task"], line["id"]
        assert "python" not in words(line["task"]), line["id"]


def test_no_two_tasks_are_near_duplicates(lines: list[dict[str, str]]) -> None:
    sets = [(line["id"], words(line["task"])) for line in lines]
    close = [
        (left_id, right_id)
        for (left_id, left), (right_id, right) in combinations(sets, 2)
        if similarity(left, right) > MAX_SIMILARITY
    ]
    assert close == []


def test_no_task_names_a_library(lines: list[dict[str, str]]) -> None:
    named = {line["id"]: words(line["task"]).intersection(LIBRARIES.split()) for line in lines}
    assert {task: found for task, found in named.items() if found} == {}
