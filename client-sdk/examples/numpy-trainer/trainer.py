"""A trainer for Tributary in numpy (../../TRAINER.md): Dense layers, relu, softmax and plain SGD on IDX or CSV."""
import json, select, sys
import numpy as np
from files import read_data, read_weights, write_weights

CODES = {NotImplementedError: "plan-invalid", FloatingPointError: "not-finite", OSError: "data-invalid",
         KeyError: "data-invalid", ValueError: "data-invalid"}

def say(type, **members):
    print(json.dumps({"type": type, **members}, allow_nan=False), flush=True)

def layers_of(plan):  # names of the Dense layers, first to last
    layers = [layer for layer in plan["model"]["topology"]["config"]["layers"] if layer["class_name"] != "Flatten"]
    found = [(layer["class_name"], layer["config"].get("activation")) for layer in layers]
    found += [plan["training"][name] for name in ("loss", "l1", "l2")] + [plan["training"]["optimizer"]["name"]]
    known = [("Dense", "relu")] * (len(layers) - 1) + [("Dense", "softmax")]
    if found != known + ["sparseCategoricalCrossentropy", 0, 0, "sgd"]:
        raise NotImplementedError("this example trains Dense layers with relu and softmax at the end, by plain SGD")
    return [layer["config"]["name"] for layer in layers]

def forward(layers, weights, x):  # what enters each layer, and the logarithms of the probabilities
    inputs = [x]
    for name in layers:
        z = inputs[-1] @ weights[name + "/kernel"] + weights[name + "/bias"]
        inputs.append(np.maximum(z, 0))
    z -= z.max(axis=1, keepdims=True)
    return inputs[:-1], z - np.log(np.exp(z).sum(axis=1, keepdims=True))

def evaluate(plan, weights, x, y):
    logs = forward(layers_of(plan), weights, x)[1]
    own = logs[np.arange(len(y)), y]
    error = (1 - np.exp(own)) * 2 / logs.shape[1]  # against the one-hot label
    each = {"loss": -own, "accuracy": logs.argmax(axis=1) == y, "meanAbsoluteError": error}
    means = {name: float(values.sum()) / max(1, len(y)) for name, values in each.items()}
    metrics = {name: means[name] for name in plan["training"]["metrics"]}
    return {"count": len(y), "loss": means["loss"], "metrics": metrics}

def train(task, weights, x, y):  # changes `weights`; nothing when it was cancelled
    plan, layers, training = task["plan"], layers_of(task["plan"]), task["plan"]["training"]
    rows = np.random.default_rng(int(task["splitSeed"], 16)).permutation(len(y))  # the same in every round
    held = max(1, int(len(y) * plan["holdout"])) if plan["holdout"] else 0
    holdout, rows = evaluate(plan, weights, x[rows[:held]], y[rows[:held]]), rows[held:]
    random, reported = np.random.default_rng(int(task["seed"], 16)), 0
    for epoch in range(training["epochs"]):
        random.shuffle(rows)
        loss = 0.0
        for at in range(0, len(rows), training["batchSize"]):
            if select.select([sys.stdin], [], [], 0)[0]: return None  # `cancel`, or the node has gone
            batch = rows[at:at + training["batchSize"]]
            inputs, logs = forward(layers, weights, x[batch])
            loss -= float(logs[np.arange(len(batch)), y[batch]].sum()) / len(rows)
            gradient = (np.exp(logs) - np.eye(logs.shape[1], dtype="f4")[y[batch]]) / len(batch)
            for name, entered in zip(reversed(layers), reversed(inputs)):
                steps = {"/kernel": entered.T @ gradient, "/bias": gradient.sum(axis=0)}
                gradient = (gradient @ weights[name + "/kernel"].T) * (entered > 0)
                for kind, step in steps.items(): weights[name + kind] -= training["optimizer"]["learningRate"] * step
            done = (epoch + (at + len(batch)) / len(rows)) / training["epochs"]
            if int(20 * done) > reported: say("progress", id=task["id"], done=min(1, done))
            reported = int(20 * done)
    return {"samples": len(rows), "loss": loss, "holdout": holdout}

def main():
    setup, kept = json.loads(sys.stdin.readline()), None
    np.seterr(over="raise", invalid="raise", divide="raise")
    say("hello", protocol=setup["protocol"], name="numpy", version="1.0")
    for task in map(json.loads, sys.stdin):
        if task["type"] == "cancel": continue  # it came too late, or ended `train`
        try:
            if kept is None or kept[0] != task["plan"]["features"]:
                kept = task["plan"]["features"], *read_data(setup["data"], task["plan"]["features"])
            header, weights = read_weights(task["weights"])
            if task["type"] == "evaluate":
                say("evaluated", id=task["id"], **evaluate(task["plan"], weights, *kept[1:]))
            elif trained := train(task, weights, *kept[1:]):
                write_weights(task["output"], header, weights)
                say("trained", id=task["id"], weights=task["output"], **trained)
            else:
                say("cancelled", id=task["id"])
        except Exception as error:
            code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), "training-failed")
            say("failed", id=task["id"], code=code, message=f"{type(error).__name__}: {error}")

main()
