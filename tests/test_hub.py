"""Folders in the layout of Hugging Face's hub, local and from a hub that this process serves."""

import hashlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import keras
import numpy as np
import pytest
import safetensors.numpy
from test_dialects import cifar_names
from torch_files import arrays_of

from keras_ilsvrc import preprocess, pretrained
from keras_ilsvrc.pretrained import hub

NAME, SOURCE = "cifar_resnet20", "cifar"
CONFIG = {
    "architecture": "resnet20", "num_classes": 1000,
    "pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.25, 0.125],
                       "input_size": [3, 32, 32], "crop_pct": 0.8},
}  # fmt: skip


@pytest.fixture(scope="module")
def arrays():
    return arrays_of(cifar_names(20))


@pytest.fixture
def folder(tmp_path, arrays):
    path = tmp_path / "resnet20.mine"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(CONFIG))
    safetensors.numpy.save_file(arrays, path / "model.safetensors")
    return path


def kernel(model):
    return keras.ops.convert_to_numpy(model.get_layer("conv1_conv").kernel)


def test_a_local_folder_is_loaded_with_its_own_images(folder, arrays):
    model = pretrained.load(NAME, SOURCE, folder)
    assert (kernel(model) == arrays["conv1.weight"].transpose(2, 3, 1, 0)).all()
    (pixel,) = preprocess(np.full((1, 1, 3), 51.0), model)
    assert np.allclose(pixel, [[(0.2 - 0.1) / 0.5, 0, (0.2 - 0.3) / 0.125]], atol=1e-6)
    inside = pretrained.load(NAME, SOURCE, str(folder), include_preprocessing=True)
    x = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    a, b = (m.predict(y, verbose=0) for m, y in ((model, preprocess(x, model)), (inside, x)))
    assert np.abs(a - b).max() <= 1e-5


def test_a_folder_s_own_classes_are_the_model_s(folder, arrays):
    """A fine-tuned network: its classifier is loaded, and not drawn anew."""
    own = arrays | {"linear.weight": np.ones((7, 64), "f4"), "linear.bias": np.arange(7.0)}
    safetensors.numpy.save_file(own, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG | {"num_classes": 7}))
    model = pretrained.load(NAME, SOURCE, folder)
    assert model.output_shape == (None, 7)
    assert (keras.ops.convert_to_numpy(model.get_layer("predictions").bias) == range(7)).all()
    (folder / "config.json").write_text(json.dumps(CONFIG | {"num_classes": 8}))
    with pytest.raises(pretrained.LoadError, match="misshapen"):
        pretrained.load(NAME, SOURCE, folder)


def test_resizing_is_the_configuration_s():
    entry = pretrained.entry("resnet50", "timm").contract
    timm = {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, 288, 288], "crop_pct": 1.0}
    found = hub.images({"pretrained_cfg": timm}, entry)
    assert (found.size, found.resize, found.mean, found.scale) == (288, 288, (0.5,) * 3, 255)
    assert hub.images({}, entry) == entry
    assert hub.images(timm, entry) == found


@pytest.mark.parametrize("mean", [[0.5], "x", [0.5, "a", 1], 3])
def test_a_mean_that_is_none_is_refused(folder, mean):
    (folder / "config.json").write_text(json.dumps({"mean": mean, "std": [1, 1, 1]}))
    with pytest.raises(pretrained.LoadError, match="for three channels"):
        pretrained.load(NAME, SOURCE, folder)


@pytest.mark.parametrize(("config", "match"), [("{", "is no JSON"), ("[]", "no configuration")])
def test_a_configuration_that_is_none_is_refused(folder, config, match):
    (folder / "config.json").write_text(config)
    with pytest.raises(pretrained.LoadError, match=match):
        pretrained.load(NAME, SOURCE, folder)


def test_a_folder_without_weights_says_what_it_looked_for(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"has none of model\.safetensors, model"):
        pretrained.load(NAME, SOURCE, folder)


# --- hf:// -------------------------------------------------------------------------------------


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as huggingface_hub asks for: a repository's list of files, and files."""

    protocol_version = "HTTP/1.1"
    folder, lies, commit = None, False, "c" * 40

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.path.startswith("/api/models/mine/resnet20"):
            files = [self.told(path) for path in sorted(self.folder.iterdir())]
            data = {"id": "mine/resnet20", "sha": self.commit, "siblings": files}
            return self.give(json.dumps(data).encode(), "application/json")
        name = self.path.rpartition("/")[2]
        if self.path.startswith("/mine/resnet20/resolve/") and (self.folder / name).is_file():
            return self.give((self.folder / name).read_bytes(), "application/octet-stream")
        return self.give(b"", "text/plain", 404)

    def told(self, path):
        data = path.read_bytes()
        file = {"rfilename": path.name, "size": len(data), "blobId": "b" * 40}
        if path.suffix == ".safetensors":
            sha = "0" * 64 if self.lies else hashlib.sha256(data).hexdigest()
            file["lfs"] = {"sha256": sha, "size": len(data), "pointerSize": 130}
        return file

    def give(self, data, kind, status=200):
        self.send_response(status)
        for name, value in {
            "Content-Type": kind, "Content-Length": len(data), "X-Repo-Commit": self.commit,
            "ETag": f'"{hashlib.sha256(data).hexdigest()}"',
        }.items():  # fmt: skip
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *words):
        pass


@pytest.fixture
def served(folder, tmp_path, monkeypatch):
    """The address of a hub that has the folder."""
    if keras.backend.backend() != "torch":
        pytest.skip("the same on all backends")
    handler = type("Served", (Hub,), {"folder": folder})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    from huggingface_hub import constants

    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    url = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
    yield handler
    server.shutdown()
    server.server_close()


def test_a_repository_is_fetched_and_compared(served, arrays, caplog):
    caplog.set_level("INFO", "keras_ilsvrc")
    model = pretrained.load(NAME, SOURCE, "hf://mine/resnet20")
    assert (kernel(model) == arrays["conv1.weight"].transpose(2, 3, 1, 0)).all()
    assert "integrity SHA-256 of the hub" in caplog.text


def test_a_repository_that_holds_something_else_is_refused(served):
    served.lies = True
    with pytest.raises(pretrained.LoadError, match="is not what hf://mine/resnet20 holds"):
        pretrained.load(NAME, SOURCE, "hf://mine/resnet20")


def test_a_repository_without_weights_says_so(served, folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="hf://mine/resnet20 has none of"):
        pretrained.load(NAME, SOURCE, "hf://mine/resnet20")


def test_what_is_not_there_says_what_to_do(served):
    with pytest.raises(OSError, match=r"put its config\.json and weights into a folder by hand"):
        pretrained.load(NAME, SOURCE, "hf://mine/other")


def test_parts_of_a_repository_are_those_of_its_index(folder, arrays):
    (folder / "model.safetensors").unlink()
    names = {"a.safetensors": 0, "b.safetensors": 1}
    index = {"weight_map": {n: [*names][i % 2] for i, n in enumerate(arrays)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    listed = dict.fromkeys((*names, "config.json", "model.safetensors.index.json"))
    found = hub.wanted(listed, lambda name: folder / name)
    assert found == ["config.json", *names, "model.safetensors.index.json"]
    del listed["b.safetensors"]
    with pytest.raises(FileNotFoundError, match=r"names 'b\.safetensors', which is not there"):
        hub.wanted(listed, lambda name: folder / name)


@pytest.mark.parametrize("words", ["hf://", "hf://resnet50", "hf://a/b/c", "hf://a/b/model.pth"])
def test_what_is_no_repository_is_refused(words):
    with pytest.raises(ValueError, match="is no repository of the hub: hf://OWNER/NAME"):
        pretrained.load(NAME, SOURCE, words)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'keras_ilsvrc\[hub\]'"):
        pretrained.load(NAME, SOURCE, "hf://timm/resnet50.a1_in1k")
