"""Every wrong derivative of the report is rejected, and its right form accepted."""

import numpy as np
import pytest

from functional_nn.loss import Loss
from functional_nn.testing import GradientError, check_loss, check_vjp
from tests.testing.report_defects import DEFECTS

for_every_defect = pytest.mark.parametrize("defect", DEFECTS)

PLACES = {
    "1 and eq. 5: sigmoid's derivative taken at its input": "toy.x",
    "2: weight gradients dropped": "conv.w",
    "3: kernel rotated over its channels, padded by k": "conv.x",
    "4: softmax twice, p2 - y passed on": "cross_entropy.outputs",
    "7: softmax with the sigmoid's derivative": "softmax.x",
    "8: max pooling's mask of the whole batch": "pool.x",
    "eq. 4: dw2 where w2 belongs": "perceptron.w1",
    "eq. 9: SiLU's simplified derivative": "silu.x",
    "eq. 9, with x s(x) for s(x)": "silu.x",
}


def check(subject, arguments, **options):
    (check_loss if isinstance(subject, Loss) else check_vjp)(subject, *arguments, **options)


@for_every_defect
@pytest.mark.parametrize("full", [False, True])
def test_wrong_form_is_rejected_at_the_array_concerned(defect, full):
    wrong, _, arguments = DEFECTS[defect]
    with pytest.raises(GradientError) as caught:
        check(wrong, arguments, full=full)
    assert caught.value.verdict == "wrong derivative"
    same_array = {"conv.w": {"conv.w", "conv.b"}, "perceptron.w1": {"perceptron.w1", "perceptron.x"}}
    assert caught.value.path in same_array.get(PLACES[defect], {PLACES[defect]})


@for_every_defect
@pytest.mark.parametrize("full", [False, True])
def test_right_form_is_accepted(defect, full):
    _, right, arguments = DEFECTS[defect]
    small = [a[:2, :4, :4] if np.ndim(a) == 4 else a for a in arguments] if full else arguments
    check(right, small, full=full)


@for_every_defect
def test_wrong_form_is_rejected_with_every_seed(defect):
    wrong, _, arguments = DEFECTS[defect]
    for seed in range(5):
        with pytest.raises(GradientError, match="wrong derivative"):
            check(wrong, arguments, seed=seed)
