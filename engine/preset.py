"""Presets: networks a user can load, one TOML file each, checked field by field before memory is touched."""

from __future__ import annotations

import math
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from engine.dynamics.files import SUFFIXES
from engine.networks.conv.spec import ConvTable
from engine.networks.growing.spec import GrowthTable
from engine.networks.nested.nest import NestError
from engine.networks.nested.spec import NestTable, build_nest
from engine.networks.tween.spec import LayerTable

CUBES = ("cube", "energy-cube")
MAX_WEIGHT_BYTES = 4 * 2**30
"""No preset may ask for more weight memory than this."""


_TABLES = {"tween": "chain", "conv": "conv"}
"""Networks whose layers are tables, and the tables' key."""


class PresetError(ValueError):
    """A preset that cannot be used; the message names the file, the key, what was wrong and what is allowed."""


class Preset(BaseModel):
    """What a preset file may say. `knobs` are checked against the network's own knobs when it is built."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=80)]
    title: Annotated[str, Field(min_length=1, max_length=120)]
    description: str = ""
    network: Literal["recursive", "hopfield", "tween", "cube", "energy-cube", "conv", "nested", "growing"]
    layers: Annotated[int, Field(ge=1, le=1000)]
    neurons: Annotated[int, Field(ge=1, le=4096)]
    world: Literal["chase", "motion", "still", "rows"] | None = None
    chain: list[LayerTable] = Field(default_factory=list)
    conv: list[ConvTable] = Field(default_factory=list)
    nested: list[NestTable] = Field(default_factory=list)
    stream: Literal["bar", "sine", "digits", "cues"] | None = None
    growth: GrowthTable | None = None
    dtype: Literal["float32", "float64"] = "float32"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    mode: Literal["clocked", "persistent"] = "clocked"
    data: Annotated[str, Field(min_length=1)] = "digits"
    sample: Annotated[int, Field(ge=0)] = 0
    weights: Literal["float16"] | None = None
    weights_file: Path | None = None
    ticks_per_second: Annotated[float, Field(ge=0, le=1e6)] = 60.0
    knobs: dict[str, float | str] = Field(default_factory=dict)
    _folder: Path = PrivateAttr(default_factory=Path)

    @property
    def folder(self) -> Path:
        """Where relative paths in the preset are looked for."""
        return self._folder

    @field_validator("neurons")
    @classmethod
    def _square(cls, value: int) -> int:
        if math.isqrt(value) ** 2 != value:
            raise ValueError("must be a square number such as 16, 64, 256 or 1024 (layers are shown as square grids)")
        return value

    @field_validator("weights_file")
    @classmethod
    def _safetensors(cls, value: Path | None) -> Path | None:
        if value is not None and value.suffix != ".safetensors":
            raise ValueError("must be a .safetensors file")
        return value

    @field_validator("knobs", mode="before")
    @classmethod
    def _numbers_or_names(cls, value: Any) -> Any:
        for knob, asked in value.items() if isinstance(value, dict) else ():
            if isinstance(asked, bool) or not isinstance(asked, int | float | str):
                raise ValueError(f"{knob} must be a number or the name of a choice (got {asked!r})")
        return value

    @model_validator(mode="before")
    @classmethod
    def _tables_count(cls, table: Any) -> Any:
        """Tables of layers say how many there are, and how large each is."""
        key = _TABLES.get(str(table.get("network"))) if isinstance(table, dict) else None
        if key is not None:
            found = table.get(key)
            parts = found if isinstance(found, list) else []
            repeats = [part.get("repeat", 1) if isinstance(part, dict) else 1 for part in parts]
            return {"layers": max(1, sum(n for n in repeats if isinstance(n, int))), "neurons": 1, **table}
        return table

    @model_validator(mode="before")
    @classmethod
    def _levels_count(cls, table: Any) -> Any:
        """Tables of levels say how many layers there are in all."""
        if isinstance(table, dict) and table.get("network") == "nested" and table.get("nested"):
            try:
                nest = build_nest([NestTable.model_validate(level) for level in table["nested"]])
            except (NestError, TypeError, ValidationError):
                return {"layers": 1, **table}
            return {"layers": nest.count, **table}
        return table

    @model_validator(mode="before")
    @classmethod
    def _a_layer_is_a_slice(cls, table: Any) -> Any:
        """A cube of n layers has n x n voxels in each."""
        if isinstance(table, dict) and table.get("network") in CUBES and isinstance(table.get("layers"), int):
            return {"neurons": table["layers"] ** 2, **table}
        return table

    @model_validator(mode="after")
    def _cubes_are_cubes(self) -> Preset:
        if self.network in CUBES and self.neurons != self.layers**2:
            raise ValueError(f"a cube of {self.layers} layers has {self.layers**2} neurons in each, not {self.neurons}")
        return self

    @model_validator(mode="after")
    def _chain_and_world_belong_together(self) -> Preset:
        if self.network == "tween" and (not self.chain or self.world is None):
            raise ValueError("a tween network needs a world and a chain of layers ([[chain]] tables)")
        if self.network != "tween" and (self.chain or self.world is not None):
            raise ValueError(f"only a tween network has a chain and a world, not a {self.network} one")
        return self

    @model_validator(mode="after")
    def _convolutions_belong_together(self) -> Preset:
        if (self.network == "conv") != bool(self.conv):
            raise ValueError("a conv network, and no other, needs layers ([[conv]] tables)")
        if self.network == "conv" and self.weights is not None:
            raise ValueError("kernels of a conv network are too few to be worth half precision (leave weights out)")
        return self

    @model_validator(mode="before")
    @classmethod
    def _a_stream_says_how_large(cls, table: Any) -> Any:
        """A growing graph is as large as its stream."""
        return {"layers": 1, "neurons": 1, **table} if isinstance(table, dict) and table.get("growth") else table

    @model_validator(mode="after")
    def _growth_and_graph_belong_together(self) -> Preset:
        if (self.network == "growing") != (self.growth is not None):
            raise ValueError("a growing network, and no other, needs a stream ([growth] table)")
        return self

    @model_validator(mode="after")
    def _a_stream_has_no_phases(self) -> Preset:
        if self.stream is not None and (self.network in ("tween", "growing") or self.mode != "clocked"):
            raise ValueError("a stream is for a network without a world, and a network that follows it has no mode")
        return self

    @model_validator(mode="after")
    def _levels_belong_together(self) -> Preset:
        if (self.network == "nested") != bool(self.nested):
            raise ValueError("a nested network, and no other, needs levels ([[nested]] tables)")
        if self.nested:
            try:
                nest = build_nest(self.nested)
            except NestError as error:
                raise ValueError(f"nested: {error}") from None
            if self.layers != nest.count:
                raise ValueError(f"these levels have {nest.count} layers in all, not {self.layers}")
        return self

    @model_validator(mode="after")
    def _fits(self) -> Preset:
        matrices = 2 if self.network in ("recursive", "nested") else 1
        synapses = 27 * self.neurons if self.network in CUBES else matrices * self.neurons**2
        size = self.layers * synapses * (4 if self.dtype == "float32" else 8)
        if size > MAX_WEIGHT_BYTES:
            raise ValueError(
                f"{self.layers} layers of {self.neurons} neurons need {size / 2**30:.1f} GiB of weights; "
                f"at most {MAX_WEIGHT_BYTES / 2**30:.0f} GiB are allowed"
            )
        return self


def _explain(error: ValidationError, source: str) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "preset"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            keys = f"; allowed are: {', '.join(k for k in Preset.model_fields if k != 'name')}"
            message = f"unknown key{keys if len(problem['loc']) == 1 else ''}"
        elif problem["type"] not in ("value_error", "missing"):
            message = f"{message} (got {problem['input']!r})"
        lines.append(f"{source}: {key}: {message}")
    return "\n".join(lines)


def parse_preset(text: str, name: str, source: str, folder: Path | None = None) -> Preset:
    """A preset from TOML text. `folder` is where a relative weights file is looked for."""
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PresetError(f"{source}: not a TOML file: {error}") from None
    if "name" in table:
        raise PresetError(f"{source}: name: unknown key; a preset is named after its file")
    try:
        preset = Preset(name=name, **table)
    except ValidationError as error:
        raise PresetError(_explain(error, source)) from None
    preset._folder = folder or Path()
    if preset.weights_file is not None and not preset.weights_file.is_absolute():
        preset = preset.model_copy(update={"weights_file": (folder or Path()) / preset.weights_file})
    return preset


def shipped_presets() -> list[str]:
    """Names of the presets that come with the program, sorted."""
    return sorted(p.name.removesuffix(".toml") for p in files("presets").iterdir() if p.name.endswith(".toml"))


def stream_preset(path: Path) -> Preset:
    """A graph that grows on a .csv or .npz file, which is read when it is built. Raises PresetError without one."""
    if not path.is_file():
        raise PresetError(f"{path}: no such file")
    growth = GrowthTable(stream=str(path.resolve()))
    title = f"Growing graph: {path.name}"[:120]
    about = "A stream of your own: the graph finds out what each column's next value depends on."
    return Preset(
        name=path.stem[:80], title=title, description=about, network="growing", layers=1, neurons=1, growth=growth
    )


def load_preset(name_or_path: str | Path) -> Preset:
    """A shipped preset by name, or a file by path: a TOML preset, or a .csv or .npz stream of one's own, which a graph
    then grows on. Raises PresetError with a message for the user."""
    text = str(name_or_path)
    if text in shipped_presets():
        resource = files("presets") / f"{text}.toml"
        return parse_preset(resource.read_text("utf-8"), text, f"presets/{text}.toml", Path(str(files("presets"))))
    path = Path(text)
    if path.suffix.lower() in SUFFIXES:
        return stream_preset(path)
    if path.suffix != ".toml":
        files_of = "a .toml, .csv or .npz file"
        raise PresetError(f"no preset named '{text}'; there are: {', '.join(shipped_presets())} (or give {files_of})")
    try:
        content = path.read_text("utf-8")
    except OSError as error:
        raise PresetError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise PresetError(f"{path}: not a TOML file: it is not UTF-8 text") from None
    return parse_preset(content, path.stem, str(path), path.parent.resolve())
