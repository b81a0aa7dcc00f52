"""The command line, in processes of its own."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

from conftest import ROOT
from keras_ilsvrc import catalog, cifar, drawing, pretrained
from keras_ilsvrc.cli import main

# What no backend changes is tested on one.
ONE_BACKEND = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="no backend changes it: tested on torch"
)


def answer(capsys, *words):
    main([*map(str, words), "--json"])
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *words):
    """The one sentence, and status 2."""
    with pytest.raises(SystemExit) as stopped:
        main([*map(str, words)])
    assert stopped.value.code == 2
    sentence = capsys.readouterr().err
    assert sentence.count("\n") == 1, sentence
    return sentence


def test_a_command_in_a_process_of_its_own_is_quiet():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-m", "keras_ilsvrc", "list", "*vgg1[69]", "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["cifar_vgg16", "vgg16", "vgg19"]
    assert done.stderr == ""


@ONE_BACKEND
def test_an_error_in_a_process_of_its_own_is_one_sentence():
    words = [sys.executable, "-m", "keras_ilsvrc", "show", "resnet51"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "resnet50" in done.stderr
    assert "resnet51" in done.stderr


@ONE_BACKEND
def test_list_has_the_catalog_s_names(capsys):
    assert answer(capsys, "list") == catalog.list_models()
    main(["list", "zf*"])
    assert capsys.readouterr().out == "zfnet\n"
    assert answer(capsys, "list", "--weights", "cifar") == catalog.list_models(weights="cifar")
    assert "no network fits 'x*'" in refusal(capsys, "list", "x*")


@ONE_BACKEND
def test_show_has_the_paper_s_figures_beside_ours(capsys):
    found = answer(capsys, "show", "cifar_resnet20")
    assert found["parameters"] == {"paper": 269_722, "here": 269_722}
    assert found["macs"] == {"paper": 40_551_040, "here": 40_551_040}
    assert [s["stride"] for s in found["stages"]] == [1, 2, 4]
    assert found["stages"][0]["receptive_field"] == [15, 15]  # 7 convolutions of 3x3
    assert found["errors"][0]["top1"] == 8.75
    assert found["sources"] == ["cifar"]
    main(["show", "cifar_resnet20"])
    assert "269,722" in capsys.readouterr().out


@ONE_BACKEND
def test_draw_has_a_box_a_convolution_and_a_line_a_shortcut(tmp_path, capsys):
    main(["draw", "cifar_resnet20", "--output", str(tmp_path / "net.svg")])
    svg = (tmp_path / "net.svg").read_text()
    from xml.etree import ElementTree

    ElementTree.fromstring(svg)
    assert svg.count(" conv, ") == 19
    assert svg.count(">add, relu<") == 9
    assert "3x3 conv, 16, BN, relu" in svg
    assert svg == drawing.draw(catalog.get_model("cifar_resnet20"))
    with pytest.raises(ValueError, match="functional"):
        drawing.draw(keras.Layer())


@pytest.fixture
def model(tmp_path):
    """A network that tells red from blue: the mean of the one channel less that of the other."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    dense = keras.layers.Dense(2, "softmax")
    built = keras.Model(image, dense(x))
    dense.set_weights([np.array([[0, 9], [0, 0], [9, 0]], "float32"), np.zeros(2, "float32")])
    built.save(tmp_path / "colours.keras")
    return tmp_path / "colours.keras"


@pytest.fixture
def folder(tmp_path):
    for name, colour in (("blue", (0, 0, 255)), ("red", (255, 0, 0))):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (20 + i, 30), colour).save(tmp_path / "set" / name / f"{i}.png")
    return tmp_path / "set"


def test_predict_and_evaluate_take_a_model_of_one_s_own(model, folder, tmp_path, capsys):
    (tmp_path / "names.txt").write_text("blue\nred\n")
    images = folder / "red" / "0.png", folder / "blue" / "1.png"
    found = answer(capsys, "predict", model, *images, "--labels", tmp_path / "names.txt")
    assert [image["classes"][0]["name"] for image in found] == ["red", "blue"]
    assert [image["classes"][0]["index"] for image in found] == [1, 0]
    assert found[0]["classes"][0]["score"] > 0.99
    assert answer(capsys, "evaluate", model, folder, "--batch", "3") == {
        "images": 4, "top1_error": 0, "top5_error": 0,
    }  # fmt: skip
    Image.new("RGB", (9, 9), (255, 0, 0)).save(folder / "blue" / "wrong.png")
    assert answer(capsys, "evaluate", model, folder)["top1_error"] == 20


@ONE_BACKEND
def test_what_cannot_be_done_is_one_sentence(model, folder, tmp_path, capsys):
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "names.txt").write_text("one\n")
    image = folder / "red" / "0.png"
    assert "there is no image" in refusal(capsys, "predict", model, tmp_path / "none.png")
    assert "no image that can" in refusal(capsys, "predict", model, tmp_path / "broken.png")
    words = "predict", model, image, "--labels", tmp_path / "names.txt"
    assert "1 lines for 2 classes" in refusal(capsys, *words)
    assert "--top is 1" in refusal(capsys, "predict", model, image, "--top", "0")
    assert "needs trained weights" in refusal(capsys, "predict", "cifar_resnet20", image)
    assert "no file" in refusal(capsys, "predict", "none.keras", image)
    assert "takes no --source" in refusal(capsys, "predict", model, image, "--source", "keras")
    assert "--path needs --source" in refusal(capsys, "parity", "resnet50", "--path", "x")
    assert "no folder" in refusal(capsys, "evaluate", model, tmp_path / "none")
    assert "no folders with images" in refusal(capsys, "evaluate", model, folder / "red")
    (folder / "green").mkdir()
    assert "3 folders" in refusal(capsys, "evaluate", model, folder)


@ONE_BACKEND
def test_convert_writes_what_load_reads(tmp_path, capsys):
    built = pretrained.build("cifar_resnet20", "cifar")
    pretrained.save(built, tmp_path / "w.safetensors")
    words = "convert", "cifar_resnet20", "--source", "cifar", "--path", tmp_path / "w.safetensors"
    for suffix in (".pth", ".weights.h5", ".keras"):
        assert answer(capsys, *words, tmp_path / f"out{suffix}")["output"].endswith(suffix)
    again = pretrained.load("cifar_resnet20", "cifar", tmp_path / "out.pth")
    assert all(map(np.array_equal, again.get_weights(), built.get_weights()))
    again = cifar.ResNet(20)
    again.load_weights(tmp_path / "out.weights.h5")
    assert all(map(np.array_equal, again.get_weights(), built.get_weights()))
    assert ".safetensors" in refusal(capsys, *words, tmp_path / "out.txt")


def test_export_names_what_is_wrong_with_a_format(model, tmp_path, capsys):
    words = "export", model, tmp_path / "out.bin", "--format", "jpeg"
    assert "onnx" in refusal(capsys, *words)
    assert not (tmp_path / "out.bin").exists()


@ONE_BACKEND
def test_parity_says_what_is_installed(capsys):
    if all(map(__import__("importlib.util").util.find_spec, ("tensorflow", "jax"))):
        pytest.skip("all backends are installed here")
    assert "parity compares two backends" in refusal(capsys, "parity", "cifar_resnet20")


@ONE_BACKEND
def test_without_pillow_and_argcomplete_the_rest_works(model, monkeypatch, capsys):
    monkeypatch.setattr("keras_ilsvrc.cli.find_spec", lambda name: None)
    assert answer(capsys, "list", "zf*") == ["zfnet"]
    assert "keras_ilsvrc[cli]" in refusal(capsys, "predict", model, "x.png")


@ONE_BACKEND
def test_without_a_backend_one_sentence_says_what_to_install(tmp_path):
    code = (
        "import importlib.util as u, sys; sys.argv = ['keras-ilsvrc', 'list'];"
        "u.find_spec = lambda name: None; sys.path.insert(0, 'keras_ilsvrc'); import startup"
    )
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
        env={**environment, "KERAS_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "keras_ilsvrc[torch]" in done.stderr
