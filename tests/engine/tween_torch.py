"""The layers once more, in torch's own functions, so that autograd can be asked. Lanes one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from engine.networks.tween.layer import Array, Layer, State, Weights, part_of
from tests.engine.tween_cases import Case

Tensors = dict[str, Any]
_PHI = {"linear": lambda z: z, "tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


def torch_pass(case: Case) -> tuple[Array, Array, Weights, State]:
    """Output, and autograd's gradients for the input, the weights and the memory before."""
    x, weights = _leaf(case.x), {name: _leaf(w) for name, w in case.weights.items()}
    state = [_leaf(s) for s in case.state]
    outputs, memories = [], []
    for lane in range(len(case.x)):
        own = {name: w[lane] for name, w in weights.items()}
        output, after = _forward(case.layer, own, x[lane], [s[lane] for s in state])
        outputs.append(output)
        memories.append(after)
    output = torch.stack(outputs)
    total = (torch.from_numpy(case.g) * output).sum()
    for number, g in enumerate(case.g_state):
        total = total + (torch.from_numpy(g) * torch.stack([after[number] for after in memories])).sum()
    total.backward()
    return (
        output.detach().numpy(),
        _gradient(x),
        {name: _gradient(w) for name, w in weights.items()},
        tuple(_gradient(s) for s in state),
    )


def _leaf(array: Array) -> Any:
    return torch.from_numpy(array.copy()).requires_grad_()


def _gradient(tensor: Any) -> Array:
    return np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.numpy()


def _forward(layer: Any, w: Tensors, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    """One lane: x (B, *shape_in) -> output, new memory."""
    return _LAYERS[layer.kind](layer, w, x, state)


def _phi(layer: Layer) -> Any:
    """The activation whose slope and values are the layer's."""
    probe = np.array([-0.5, 0.7])
    value = layer._phi(probe)  # type: ignore[attr-defined]
    return next(phi for phi in _PHI.values() if np.allclose(phi(torch.from_numpy(probe)).numpy(), value))


def _dense(layer: Any, w: Tensors, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    return _phi(layer)(F.linear(x.flatten(1), w["W"], w["b"])), []


def _conv1d(layer: Any, w: Tensors, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    z = F.conv1d(x.transpose(1, 2), w["K"], w["b"], layer.stride, layer.size // 2)
    return _phi(layer)(z).transpose(1, 2), []


def _conv2d(layer: Any, w: Tensors, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    return _phi(layer)(F.conv2d(x, w["K"], w["b"], layer.stride, layer.size // 2)), []


def _rnn(layer: Any, w: Tensors, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    h = torch.rnn_tanh_cell(x.flatten(1), state[0], w["W"], w["U"], w["b"], torch.zeros_like(w["b"]))
    return h, [h]


def _lstm(layer: Any, w: Tensors, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    """Torch orders its gates i, f, u, o."""
    i, f, o, u = torch.arange(4 * layer.shape[0]).chunk(4)
    order = torch.cat([i, f, u, o])
    bias = w["b"][order]
    h, c = torch.lstm_cell(x.flatten(1), state, w["W"][order], w["U"][order], bias, torch.zeros_like(bias))
    return h, [h, c]


def _attention(layer: Any, w: Tensors, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    q, k, v = ((x @ w[name]).unflatten(-1, (layer.heads, -1)).transpose(1, 2) for name in ("W_q", "W_k", "W_v"))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2) @ w["W_o"], []


def _layernorm(layer: Any, w: Tensors, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    return F.layer_norm(x.flatten(1), w["gain"].shape, w["gain"], w["b"], 1e-8).reshape(x.shape), []


def _rmsnorm(layer: Any, w: Tensors, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    return F.rms_norm(x.flatten(1), w["gain"].shape, w["gain"], 1e-8).reshape(x.shape), []


def _softmax(layer: Any, w: Tensors, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    return F.softmax(x, -1), []


def _activation(layer: Any, w: Tensors, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    return _phi(layer)(x), []


def _residual(layer: Any, w: Tensors, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    y, after = x, []
    for number, part in enumerate(layer.parts):
        count = len(part.initial_state(1, 1, np.dtype(float)))
        y, new = _forward(part, part_of(w, str(number)), y, state[:count])
        state = state[count:]
        after += new
    return x + layer.scale * y, after


def _parallel(layer: Any, w: Tensors, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    outputs, after = [], []
    for number, part in enumerate(layer.parts):
        count = len(part.initial_state(1, 1, np.dtype(float)))
        y, new = _forward(part, part_of(w, str(number)), x, state[:count])
        state = state[count:]
        outputs.append(y)
        after += new
    if layer.fusion == "concat":
        return torch.cat([y.flatten(1) for y in outputs], 1), after
    whole = torch.stack(outputs)
    return (whole.sum(0) if layer.fusion == "add" else whole.mean(0)), after


_LAYERS = {
    "dense": _dense, "conv1d": _conv1d, "conv2d": _conv2d, "rnn": _rnn, "lstm": _lstm, "attention": _attention,
    "layernorm": _layernorm, "rmsnorm": _rmsnorm, "softmax": _softmax, "activation": _activation,
    "residual": _residual, "parallel": _parallel,
}  # fmt: skip
