"""What stands in an exported file, layers and transforms of one's own, and what is refused."""

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import data, layers, models
from tests.interop.drawn import arrays_for
from tests.interop.peers import needs_onnx, onnx, onnxruntime

if onnxruntime is not None:
    from functional_nn.interop.onnx import export
    from tests.interop.onnx_runs import assert_equal_outputs, assert_exported, outputs

pytestmark = needs_onnx
RNG = np.random.default_rng(0)
LENET = models.lenet5(3)
PARAMS = LENET.init(RNG, (32, 32, 1))


@fnn.constructor
def power(exponent: float) -> fnn.Layer:
    """A layer of a user's own."""
    function = layers.relu.functions.vjp
    return fnn.Layer("power", apply=lambda params, x: x**exponent, vjp=function)


@fnn.constructor
def thin_conv(filters: int) -> fnn.Layer:
    """A user's own constructor of a public layer."""
    return layers.conv2d(filters, 2)


@fnn.constructor
def tied_net() -> fnn.Layer:
    """A user's own constructor of a tied model."""
    return fnn.tie(fnn.serial(a=layers.dense(4), b=layers.dense(4)), {"b.w": "a.w.T"})


def export_power(graph, at):
    return graph.node("Pow", at.x, graph.constant(np.float32(at.arguments["exponent"])))


def proto(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return model


def operators(path):
    return [node.op_type for node in proto(path).graph.node]


def sizes(value):
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def test_the_file_names_its_maker_its_inputs_and_its_versions(tmp_path):
    export(tmp_path / "lenet5.onnx", LENET, PARAMS, (32, 32, 1))
    model = proto(tmp_path / "lenet5.onnx")
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)
    assert (model.producer_name, model.producer_version) == ("functional_nn", fnn.__version__)
    (x,), (y,) = model.graph.input, model.graph.output
    assert (x.name, x.type.tensor_type.elem_type, sizes(x)) == ("x", onnx.TensorProto.FLOAT, ["n", 32, 32, 1])
    assert (y.name, y.type.tensor_type.elem_type, sizes(y)) == ("y", onnx.TensorProto.FLOAT, ["n", 3])
    assert {tensor.name for tensor in model.graph.initializer} >= {"c1.w", "c3.w", "f5.w", "f7.b"}


def test_images_are_transposed_at_the_border_and_before_flatten_alone(tmp_path):
    path = tmp_path / "model.onnx"
    export(path, LENET, PARAMS, (32, 32, 1))
    assert operators(path).count("Transpose") == 2
    perceptron = models.two_layer_perceptron()
    export(path, perceptron, perceptron.init(RNG, (4, 4, 3)), (4, 4, 3))
    assert operators(path) == ["Reshape", "Gemm", "Sigmoid", "Gemm"]


def test_a_tied_parameter_is_kept_once(tmp_path):
    model = fnn.tie(fnn.serial(a=layers.dense(4), b=layers.dense(4)), {"b": "a"})
    params, x = arrays_for(model, (4,), seed=0, dtype=np.float32)
    assert_exported(tmp_path / "model.onnx", model, params, x)
    assert sorted(tensor.name for tensor in proto(tmp_path / "model.onnx").graph.initializer) == ["a.b", "a.w"]


@pytest.mark.parametrize("model", [layers.dropout(0.5), fnn.serial(), layers.flatten(), fnn.serial(a=layers.relu)])
@pytest.mark.parametrize("shape", [(2, 3, 2), (4,), ()])
def test_small_models(tmp_path, model, shape):
    assert_exported(tmp_path / "model.onnx", model, {}, RNG.standard_normal((3, *shape)).astype(np.float32))


def test_numbers_of_an_embedding_are_int64(tmp_path):
    both = fnn.branch(a=layers.tanh, n=layers.layer_norm())  # of sequences, whose channels come last
    model = fnn.serial(e=layers.embedding(7, 2), b=both, f=layers.flatten(), d=layers.dense(2))
    x = RNG.integers(0, 7, (3, 5))
    assert_exported(tmp_path / "model.onnx", model, model.init(RNG, (5,)), x)


def test_models_by_constructors_of_ones_own(tmp_path):
    model = fnn.serial(c=thin_conv(3), f=layers.flatten(), d=layers.dense(4), t=tied_net())
    params, x = arrays_for(model, (4, 3, 2), seed=0, dtype=np.float32)
    assert_exported(tmp_path / "model.onnx", model, params, x)


def test_large_inputs_of_softplus_and_gelu_do_not_overflow(tmp_path):
    x = np.array([[-1e30, -100.0, 0.0, 100.0, 1e30]], np.float32)
    for layer in (layers.softplus, layers.gelu):
        assert_exported(tmp_path / "model.onnx", layer, {}, x)


def test_a_layer_of_ones_own_needs_an_exporter(tmp_path):
    path, x = tmp_path / "model.onnx", RNG.random((3, 4)).astype(np.float32)
    cube = fnn.Layer("cube", apply=lambda params, x: x**3, vjp=layers.relu.functions.vjp)
    model = fnn.serial(r=fnn.residual(fnn.serial(p=power(2.0))), c=cube)
    with pytest.raises(TypeError) as caught:
        export(path, model, {}, (4,), exporters={cube: export_power})
    assert str(caught.value) == (
        "serial.r.body.p: there is no exporter for the layer power(2.0): write one, such as "
        "def f(graph, at): return graph.node('Abs', at.x), and give export(..., exporters={power: f}); "
        "docs/how-to/onnx.md shows how"
    )
    assert not path.exists()

    def export_cube(graph, at):
        return graph.node("Mul", at.x, graph.node("Mul", at.x, at.x))

    assert_exported(path, model, {}, x, exporters={power: export_power, cube: export_cube})


def test_a_combinator_of_ones_own(tmp_path):
    def twice(inner):
        body = fnn.serial(inner=inner, again=inner)
        return fnn.Layer(
            "twice",
            init=inner.init,
            apply=lambda params, x: inner.apply(params["inner"], inner.apply(params["inner"], x)),
            vjp=body.functions.vjp,
            parts=(("inner", inner),),
            combine=twice,
        )

    def export_twice(graph, at):
        x = graph.part(at, "inner", at.x, at.input_shape)
        return graph.part(at, "inner", x, at.input_shape)

    model = twice(layers.dense(4))
    params = {"inner": layers.dense(4).init(RNG, (4,))}
    x = RNG.random((3, 4)).astype(np.float32)
    assert_exported(tmp_path / "model.onnx", model, params, x, exporters={model: export_twice})


def trained(transform, shape=(32, 32, 1), **options):
    return fnn.Trained(LENET, PARAMS, shape, transform, **options)


IMAGES = RNG.integers(0, 256, (5, 32, 32, 1)).astype(np.uint8)
STANDARDIZED = data.standardize(IMAGES)


@pytest.mark.parametrize(
    "transform",
    [
        STANDARDIZED,
        data.chain(data.random_shift(2), data.chain(data.random_flip(), STANDARDIZED)),
        data.standardize_by((200.0,), (0.01,)),  # in float64
        data.standardize_by((200.0,), (0.0,)),
    ],
)
def test_a_trained_network_takes_bytes(tmp_path, transform):
    network = trained(transform, classes=("cat", "dög", "fish"))
    export(tmp_path / "trained.onnx", network)
    assert_equal_outputs(tmp_path / "trained.onnx", IMAGES, network.predict(IMAGES), name="images")
    model = proto(tmp_path / "trained.onnx")
    assert [(entry.key, entry.value) for entry in model.metadata_props] == [("classes", '["cat", "dög", "fish"]')]
    (images,) = model.graph.input
    assert (images.type.tensor_type.elem_type, sizes(images)) == (onnx.TensorProto.UINT8, ["n", 32, 32, 1])


def test_a_mean_far_from_zero_keeps_its_digits(tmp_path):
    images = np.full((3, 2, 2, 1), 200, np.uint8)
    network = fnn.Trained(layers.flatten(), {}, (2, 2, 1), data.standardize_by((200.00123,), (1e-4,)))
    export(tmp_path / "trained.onnx", network)
    assert_equal_outputs(tmp_path / "trained.onnx", images, network.predict(images), name="images")


def test_a_trained_network_of_three_channels(tmp_path):
    images = RNG.integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)
    model = models.small_resnet(3, width=8)
    transform = data.standardize_by((100.0, 120.0, 140.0), (50.0, 60.0, 70.0))
    network = fnn.Trained(model, model.init(RNG, (8, 8, 3)), (8, 8, 3), transform)
    export(tmp_path / "trained.onnx", network)
    assert_equal_outputs(tmp_path / "trained.onnx", images, network.predict(images), name="images")


def test_a_trained_network_of_vectors_or_without_a_transform_takes_floats(tmp_path):
    model = models.two_layer_perceptron(5, 2)
    x = RNG.standard_normal((3, 2)).astype(np.float32)
    for transform in (None, data.standardize_by((1.0, 2.0), (3.0, 4.0))):
        network = fnn.Trained(model, model.init(RNG, (2,)), (2,), transform)
        export(tmp_path / "trained.onnx", network)
        assert_equal_outputs(tmp_path / "trained.onnx", x, network.predict(x))


def halves(x, key):
    """A transform of a user's own."""
    return x[:, ::2, ::2].astype(np.float32) / np.float32(255.0)


def test_a_transform_of_ones_own_needs_an_exporter(tmp_path):
    model = models.two_layer_perceptron(5, 2)
    network = fnn.Trained(model, model.init(RNG, (16, 16, 1)), (32, 32, 1), data.chain(data.random_flip(), halves))
    with pytest.raises(TypeError, match=r"no exporter for the transform halves: .*exporters=\{halves: f\}"):
        export(tmp_path / "trained.onnx", network)

    def export_halves(graph, at):
        x = graph.node("Cast", at.x, to=onnx.TensorProto.FLOAT)
        starts, ends, axes, steps = (graph.constant(np.array(v)) for v in ([0, 0], [32, 32], [2, 3], [2, 2]))
        x = graph.node("Slice", x, starts, ends, axes, steps)
        return graph.node("Div", x, graph.constant(np.float32(255.0)))

    export(tmp_path / "trained.onnx", network, exporters={halves: export_halves})
    assert_equal_outputs(tmp_path / "trained.onnx", IMAGES, network.predict(IMAGES), name="images")


def test_float64_is_refused(tmp_path):
    wide = fnn.tree.cast(PARAMS, np.float64)
    with pytest.raises(TypeError, match=r"^lenet5\.c1\.b: is float64; .* give tree\.cast\(params, np\.float32\)"):
        export(tmp_path / "model.onnx", LENET, wide, (32, 32, 1))
    bound = fnn.bind(LENET, wide)
    with pytest.raises(TypeError, match=r"^lenet5: its bound parameters are float64: bind tree\.cast"):
        export(tmp_path / "model.onnx", bound, {}, (32, 32, 1))


def test_what_does_not_fit_is_refused_by_path(tmp_path):
    path = tmp_path / "model.onnx"
    normed = fnn.serial(n=layers.batch_norm())
    with pytest.raises(TypeError, match=r"^serial\.n\.mean: missing; inference needs .*fnn\.statistics"):
        export(path, normed, normed.init(RNG, (2,)), (2,))
    with pytest.raises(TypeError, match=r"^lenet5\.c1\.b: missing from the parameters"):
        export(path, LENET, {**PARAMS, "c1": {"w": PARAMS["c1"]["w"]}}, (32, 32, 1))
    with pytest.raises(ValueError, match=r"^lenet5\.c1: x has 3 channels"):
        export(path, LENET, PARAMS, (32, 32, 3))
    with pytest.raises(ValueError, match=r"^flatten: input is \(0, 2\): there is nothing to compute"):
        export(path, layers.flatten(), {}, (0, 2))
    assert not path.exists()


def test_wrong_calls_say_what_to_give(tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(TypeError, match=r"expected export\(path, model, params, input_shape\) or export\(path, tr"):
        export(path, LENET)
    with pytest.raises(TypeError, match="a Trained has its own parameters and shape"):
        export(path, trained(STANDARDIZED), PARAMS)
    with pytest.raises(TypeError, match="model is a dict, expected a Layer or a Trained"):
        export(path, PARAMS, LENET)
    with pytest.raises(TypeError, match=r"exporters is \{.*\}, expected a dict \{my_layer: function of \(graph, at\)"):
        export(path, LENET, PARAMS, (32, 32, 1), exporters={power: "Pow"})
    with pytest.raises(TypeError, match=r"the exporter of power\(2\.0\) returned None, expected its output's name"):
        export(path, power(2.0), {}, (2,), exporters={power: lambda graph, at: None})


def test_a_wrong_exporter_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.onnx"
    export(path, LENET, PARAMS, (32, 32, 1))
    before = path.read_bytes()
    with pytest.raises(onnx.checker.ValidationError):
        export(path, power(2.0), {}, (2,), exporters={power: lambda graph, at: graph.node("NoSuchOperator", at.x)})
    assert path.read_bytes() == before
    export(path, LENET, PARAMS, (32, 32, 1))
    assert path.read_bytes() == before  # the same call writes the same bytes
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_an_empty_batch_passes(tmp_path):
    export(tmp_path / "model.onnx", LENET, PARAMS, (32, 32, 1))
    y = outputs(tmp_path / "model.onnx", np.zeros((0, 32, 32, 1), np.float32))["onnxruntime"]
    assert y.shape == (0, 3)
