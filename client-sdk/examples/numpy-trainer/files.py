"""What trainer.py reads and writes: weights as safetensors, rows from IDX or CSV files with the plan's transforms."""
import csv, json
import numpy as np

def read_weights(path):  # safetensors: length of the header in 8 bytes, the header in JSON, the raw values
    raw = open(path, "rb").read()
    start = 8 + int.from_bytes(raw[:8], "little")
    header, cut = json.loads(raw[8:start]), lambda begin, end: np.frombuffer(raw[start + begin:start + end], "<f4")
    return header, {name: cut(*entry["data_offsets"]).reshape(entry["shape"]).copy() for name, entry in header.items()}

def write_weights(path, header, weights):  # the header as it came: the same tensors at the same places
    head, names = json.dumps(header).encode(), sorted(header, key=lambda name: header[name]["data_offsets"])
    with open(path, "wb") as file:
        file.write(len(head).to_bytes(8, "little") + head + b"".join(weights[name].tobytes() for name in names))

def read_idx(path):
    raw = open(path, "rb").read()
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(np.frombuffer(raw, ">u4", raw[3], 4))

def transform(cells, column):
    how, cells = column["transform"], [cell.strip() or str(column.get("missing", "")) for cell in cells]
    if how["kind"] == "onehot":
        known = {category: i for i, category in enumerate(how["categories"])}
        at = [known.get(cell, len(known)) if how["other"] and cell else known[cell] for cell in cells]
        return np.eye(len(known) + how["other"])[at]
    x = np.array(cells, float)[:, None]
    return {"identity": lambda: x, "standardise": lambda: (x - how["mean"]) / how["std"], "log1p": lambda: np.log1p(x),
            "minmax": lambda: (x - how["min"]) / (how["max"] - how["min"])}[how["kind"]]()

def read_data(data, features):  # a row of numbers and a class index for each example
    if (data["kind"], features["kind"]) == ("idx", "image"):
        x = (read_idx(data["images"]) * features["scale"] - features["mean"]) / features["std"]
        return x.reshape(len(x), -1).astype("f4"), read_idx(data["labels"]).astype(int)
    rows = list(csv.DictReader(open(data["path"], encoding="utf-8-sig"), delimiter=data.get("delimiter", ",")))
    x = np.hstack([transform([row[column["name"]] for row in rows], column) for column in features["columns"]])
    label = features["label"]
    return x.astype("f4"), np.array([label["classes"].index(row[label["name"]].strip()) for row in rows])
