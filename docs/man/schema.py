# SPDX-License-Identifier: BSD-3-Clause
"""Reads a schema of docs/schema with what it refers to put in its place."""
import json
import os


def load(path):
    with open(path, encoding="utf-8") as file:
        return whole(json.load(file), os.path.dirname(path))


def whole(part, folder):
    if isinstance(part, list):
        return [whole(item, folder) for item in part]
    if not isinstance(part, dict):
        return part
    part = {name: whole(value, folder) for name, value in part.items()}
    if isinstance(part.get("$ref"), str):
        other = load(os.path.join(folder, part.pop("$ref")))
        properties = {**other.get("properties", {}), **part.get("properties", {})}
        required = other.get("required", []) + part.get("required", [])
        part = {**other, **part, "properties": properties, "required": required}
    return part
