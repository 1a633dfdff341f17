"""Files of Keras that have the structure and the weights in them: `.h5` as `model.save` writes it,
with the configuration as an attribute, and `.keras`, an archive of both.
"""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePath

from ...compiler.importing.graph import Graph
from ...compiler.importing.keras.model import read_model
from ...compiler.importing.readers import Given
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source
from ..untrusted.bad_file import BadFile, damaged
from ..untrusted.hdf5_file import open_hdf5
from ..untrusted.json_text import load_json
from ..untrusted.open_file import open_regular, size_of
from ..untrusted.zip_archive import open_zip, read_member
from .keras_weights import WEIGHTS, member_stream, weights_of
from .stored_weights import refused

CONFIG, METADATA = "config.json", "metadata.json"
MAX_TEXT = 50_000_000


def read_keras_file(given: Given) -> Graph:
    """The network of a `.h5` or `.keras`, with its weights."""
    file = PurePath(given.name).name
    try:
        with open_regular(Path(given.name)) as stream:
            if stream.read(2) == b"PK":
                with open_zip(stream) as archive:
                    return _of_archive(given, archive, file)
            stream.seek(0)
            with open_hdf5(stream, size_of(stream)) as root:
                config = root.text("model_config")
                if not config:
                    raise _no_structure(file)
                version = root.text("keras_version")
                graph = read_model(_source(given, config), given.input_shape, version)
                return weights_of(graph, root, file)
    except BadFile as error:
        raise refused(error, file) from None


def _of_archive(given: Given, archive: zipfile.ZipFile, file: str) -> Graph:
    config = read_member(archive, CONFIG, MAX_TEXT).decode("utf-8", "replace")
    version = ""
    if METADATA in archive.namelist():
        about = load_json(read_member(archive, METADATA, 10**6).decode("utf-8", "replace"))
        version = str(about.get("keras_version", "")) if isinstance(about, dict) else ""
    graph = read_model(_source(given, config), given.input_shape, version)
    if WEIGHTS not in archive.namelist():
        return graph
    with member_stream(archive, WEIGHTS) as (stream, size), open_hdf5(stream, size) as root:
        return weights_of(graph, root, file)


def _source(given: Given, config: str) -> Source:
    """The configuration, which has no place in the file that an editor would show."""
    if len(config) > MAX_TEXT:
        raise damaged("its configuration is too long")
    return Source(given.name, config)


def _no_structure(file: str) -> SpecError:
    message = f"{file} has weights only, and not the structure of the network"
    help = f"write `cnn import model.json --weights {file}`; model.to_json() writes that"
    return SpecError([Diagnostic("keras", message, file=file, help=help)])
