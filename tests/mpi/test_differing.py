"""Ranks that make a call with different arguments are told, all of them, what differs; what may differ does no harm."""

import re

from tests.mpi.running import needs_mpi, run

pytestmark = needs_mpi

SHA = "sha256 [0-9a-f]{32}"
DIFFERING = {
    "other params": f"params: 134 numbers, {SHA} given, 134 numbers, {SHA}",
    "other epochs": "epochs: 3 given, 2",
    "other batch_size": "batch_size: 32 given, 64",
    "other chunk": "chunk: 8 given, None",
    "other seed": r"seed: \(3, 1\) given, \(3\)",
    "other model": r"model: serial\(.* given, models.two_layer_perceptron\(.*",
    "other loss": r"loss: losses.huber\(delta=1.0\) given, losses.softmax_cross_entropy",
    "other optimizer": "optimizer.learning_rate: 0.2 given, 0.1",
    "other transform": "transform: <__main__.Halved object> given, training.evaluation.as_it_is",
    "other x": r"data.inputs: float32\[150, 4\] given, float32\[150, 8\]",
    "other targets": rf"data.targets: int64\[150\], {SHA} given, int64\[150\], {SHA}",
    "other validation": "validation: .* given, None",
    "other resume": f"resume: 268 numbers, {SHA} given, None",
    "bad params": f"params: 1 numbers, {SHA} given, 134 numbers, {SHA}",
    "other bound array": rf"model.fixed.hidden.b: .* of shape \(12,\), {SHA} given(.|\n)*, {SHA}",
    "several": "batch_size: 10 given, 9 on rank 0\n  epochs: 2 given, 1",
}
OTHERS = {
    "data_parallel x": r"x = \(9, 8\), rank 0 \(150, 8\)",
    "data_parallel chunk": "chunk = 8, rank 0 150",
    "data_parallel key": "key = 6, rank 0 5",
    "predict x": r"x = float32\[9, 8\], rank 0 float32\[150, 8\]",
    "predict params": f"params = 134 numbers, {SHA}, rank 0 134 numbers, {SHA}",
    "evaluate x": r"x = float32\[9, 8\], rank 0 float32\[150, 8\]",
    "evaluate params": f"params = 134 numbers, {SHA}, rank 0 134 numbers, {SHA}",
    "statistics x": r"x = float32\[9, 8\], rank 0 float32\[150, 8\]",
    "statistics params": f"params = 158 numbers, {SHA}, rank 0 158 numbers, {SHA}",
    "statistics batch_size": "batch_size = 32, rank 0 64",
}
BAD = {
    "bad optimizer": "TypeError: fit: optimizer is 'adam', expected a transformation",
    "bad callback": "TypeError: fit: callback is 3, expected a function",
    "bad transform": "TypeError: fit: transform is 'none', expected a function",
    "bad x": "TypeError: fit: data's inputs is a list",
}


def test_all_ranks_are_told_what_differs_and_go_on():
    first, second = run(2, "differing").values()
    assert first == second
    *told, may_differ, looks_different = first
    told = dict(told)
    assert told.keys() == DIFFERING.keys() | BAD.keys() | OTHERS.keys()
    for name, difference in DIFFERING.items():
        head, rest = told[name].split("\n", 1)
        assert head == "ValueError: fit: rank 1 was given other arguments than rank 0:"
        assert re.fullmatch(f"  {difference} on rank 0\nall ranks must call fit with the same ones", rest), rest
    for name, difference in OTHERS.items():
        function = name.split()[0].replace("evaluate", "predict")  # which it calls
        head, rest = told[name].split("; ")
        assert re.fullmatch(f"ValueError: {function}: rank 1 was given {difference}", head), head
        assert rest.startswith(f"all ranks must call {function} with the same arguments")
    for name, message in BAD.items():
        assert told[name].startswith(message)
    assert may_differ
    assert looks_different
