"""Data sets: whole or refused, named, never silently another."""

import hashlib
import io
import json
import socket
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproductions.data import cifar
from reproductions.data.dataset import checked, defect, fingerprint
from reproductions.data.registry import DATASETS, copy_note, embedded, load
from reproductions.data.transforms import at_tier, standardised
from reproductions.evidence.errors import InputError
from reproductions.execution.backends import installed_backends
from reproductions.experiments.tiers import TIERS

# A change of the embedded images retires their records: never edit it in passing.
EMBEDDED = "3c0ecbcf43a8f0060506de0c45941ce220c165568670d2cdd5894c04bdf2f39e"


@pytest.fixture(scope="module")
def generated():
    return embedded()


def changed(monkeypatch, counts=None, name="cifar10", **archive):
    """A data set whose archive is another."""
    dataset = DATASETS[name]
    other = replace(dataset, archive=replace(dataset.archive, **archive))
    monkeypatch.setitem(DATASETS, name, replace(other, counts=counts or other.counts))


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No prepared data, no archive, no network."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    changed(monkeypatch, url="http://127.0.0.1:9/cifar-10-binary.tar.gz")


def test_embedded_images_are_the_same_everywhere(generated):
    assert fingerprint(generated) == EMBEDDED


def test_embedded_classes_are_balanced_and_splits_apart(generated):
    assert np.bincount(generated.train_labels).tolist() == [1000] * 10
    train = {image.tobytes() for image in generated.train_images}
    assert not any(image.tobytes() in train for image in generated.test_images)


def test_fingerprint_sees_every_array_and_every_byte(generated):
    images, labels = generated.test_images.copy(), generated.test_labels.copy()
    images[-1, -1, -1, -1] ^= 1
    labels[0] = (labels[0] + 1) % 10
    changed = (replace(generated, test_images=images), replace(generated, test_labels=labels))
    assert len({fingerprint(d) for d in (generated, *changed)}) == 3


def test_cifar10_is_whole(cifar10):
    assert cifar10.train_images.shape == (50_000, 32, 32, 3)
    assert cifar10.test_images.shape == (10_000, 32, 32, 3)
    assert np.bincount(cifar10.test_labels).tolist() == [1000] * 10


def test_cifar10_looks_as_published(cifar10):
    """The channel means of the training images, as everyone prints them: .491, .482, .447."""
    means = cifar10.train_images.reshape(-1, 3).mean(0) / 255
    assert means == pytest.approx([0.4914, 0.4822, 0.4465], abs=2e-3)


@given(st.sampled_from(["shape", "dtype", "count", "labels", "negative", "empty", "blank"]))
def test_damage_is_named(damage):
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), "uint8")
    labels = np.arange(20) % 10
    assert defect(images, labels, 20, 10) is None
    damaged = {
        "shape": (images[:, :31], labels, "not uint8 of"),
        "dtype": (images.astype("float32"), labels, "float32"),
        "count": (images[:19], labels[:19], "19 images"),
        "labels": (images, labels + 1, "from 1 to 10"),
        "negative": (images, labels - 1, "from -1 to 8"),
        "empty": (images, np.where(labels == 3, 4, labels), "label 3"),
        "blank": (
            np.where(np.arange(20)[:, None, None, None] == 7, 0, images).astype("uint8"),
            labels,
            "1 of them are of one colour",
        ),
    }
    bad_images, bad_labels, told = damaged[damage]
    assert told in defect(bad_images, bad_labels, len(bad_images) + (damage == "count"), 10)


def test_a_test_image_that_is_trained_on_is_named(generated):
    shared = np.concatenate([generated.train_images[:2], generated.test_images[2:]])
    with pytest.raises(InputError, match="2 test images are training images, too"):
        checked(replace(generated, test_images=shared), DATASETS["embedded"])


def test_damaged_data_are_refused(generated):
    with pytest.raises(InputError, match="test images of embedded are damaged: there are 9999"):
        checked(
            replace(
                generated,
                test_images=generated.test_images[1:],
                test_labels=generated.test_labels[1:],
            ),
            DATASETS["embedded"],
        )


def test_wrong_choices_are_named():
    with pytest.raises(InputError, match="auto, cifar10, cifar100, embedded"):
        load("imagenet", TIERS["laptop"])
    with pytest.raises(InputError, match="the night tier needs --data cifar10"):
        load("embedded", TIERS["night"])


@pytest.mark.usefixtures("offline")
def test_offline_auto_is_embedded_where_that_is_allowed_and_cifar10_never():
    assert load("auto", TIERS["laptop"]).name == "embedded"
    assert load("auto", TIERS["smoke"]).name == "embedded"
    with pytest.raises(InputError, match="did not answer"):
        load("auto", TIERS["night"])
    with pytest.raises(InputError, match="or choose --data embedded"):
        load("cifar10", TIERS["laptop"])


def test_a_silent_site_is_given_up(monkeypatch):
    """One that accepts a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        changed(monkeypatch, url=f"http://127.0.0.1:{port}/x")
        monkeypatch.setattr(cifar, "PROBE_SECONDS", 0.2)
        assert not cifar.reachable(DATASETS["cifar10"])


@pytest.mark.usefixtures("offline")
def test_a_format_that_cannot_be_read_at_random_is_named(tmp_path):
    """TFDS' own default, as `tfds build cifar10` leaves it."""
    folder = tmp_path / "cifar10" / "3.0.2"
    folder.mkdir(parents=True)
    split = {"name": "train", "numBytes": "1", "shardLengths": ["1"]}
    split["filepathTemplate"] = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    info = {"name": "cifar10", "version": "3.0.2", "fileFormat": "tfrecord", "splits": [split]}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match=r"prepared as tfrecord, .* --file_format=array_record"):
        load("auto", TIERS["laptop"])


def archive_bytes(images, labels):
    """An archive in the layout of CIFAR-10's binary version, from (60, ...) arrays."""
    rows = np.concatenate([labels[:, None], images.transpose(0, 3, 1, 2).reshape(60, -1)], 1)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name, part in zip(names, np.split(rows.astype("uint8"), 6), strict=True):
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = part.nbytes
            archive.addfile(member, io.BytesIO(part.tobytes()))
    return whole.getvalue()


@pytest.fixture
def small_archive(monkeypatch):
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (60, 32, 32, 3), "uint8")
    labels = np.arange(60) % 10
    content = archive_bytes(images, labels)
    changed(monkeypatch, (50, 10), sha256=hashlib.sha256(content).hexdigest())
    return content, images, labels


def test_the_official_archive_is_read(small_archive, tmp_path):
    content, images, labels = small_archive
    (tmp_path / "a.tar.gz").write_bytes(content)
    data = cifar.read_archive(tmp_path / "a.tar.gz", DATASETS["cifar10"])
    assert (data.train_images == images[:50]).all()
    assert (data.test_images == images[50:]).all()
    assert (np.concatenate([data.train_labels, data.test_labels]) == labels).all()


CLASSES_100 = np.arange(300) % 100


@pytest.fixture
def small_cifar100(monkeypatch, tmp_path):
    """CIFAR-100's archive in small, in the folder of downloads: (images, labels)."""
    images = np.random.default_rng(0).integers(0, 256, (300, 32, 32, 3), "uint8")
    planes = images.transpose(0, 3, 1, 2).reshape(300, -1)
    # A group's label comes first: it must not be taken for the class.
    rows = np.concatenate([CLASSES_100[:, None] // 5, CLASSES_100[:, None], planes], 1)
    (tmp_path / "downloads").mkdir()
    path = tmp_path / "downloads" / "cifar-100-binary.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, part in zip(
            ("train", "test"), np.split(rows.astype("uint8"), [200]), strict=True
        ):
            member = tarfile.TarInfo(f"cifar-100-binary/{name}.bin")
            member.size = part.nbytes
            archive.addfile(member, io.BytesIO(part.tobytes()))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    changed(monkeypatch, (200, 100), "cifar100", sha256=digest)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return images, CLASSES_100


def test_cifar100_is_read_from_its_archive_with_the_hundred_classes(small_cifar100):
    images, labels = small_cifar100
    data = load("cifar100", TIERS["night"])
    assert (data.name, data.version) == ("cifar100", "binary")
    assert (np.concatenate([data.train_images, data.test_images]) == images).all()
    assert (np.concatenate([data.train_labels, data.test_labels]) == labels).all()
    assert copy_note(data.identity()).startswith("CIFAR-100: ")


@pytest.mark.usefixtures("small_cifar100")
def test_a_network_for_cifar100_has_a_hundred_outputs_and_trains(monkeypatch):
    """All labels are kept, and none beyond them is taken for one of the set."""
    from keras.backend import backend

    from reproductions.experiments.spec import spec_of
    from reproductions.workloads.training.initialization import untrained
    from reproductions.workloads.training.loop import train

    tier = replace(TIERS["smoke"], train_images=200, measured_test=100, steps=2)
    data = load("cifar100", TIERS["night"])
    arrays = at_tier(data, tier)
    assert len(set(arrays["train_labels"])) == 100
    spec = spec_of("plain-20", tier, 0, backend(), data.identity())
    assert untrained(spec).output_shape == (None, 100)
    result, _ = train(spec, arrays)
    assert result["final"]["test_error"] > 0.9
    ten = {**spec, "data": {**spec["data"], "name": "cifar10"}}
    with pytest.raises(InputError, match=r"labels run from 0 to 99.*classes 0 to 9"):
        train(ten, arrays)


def test_cifar100_is_read_as_tensorflow_datasets_lays_it_out(monkeypatch):
    """Its splits and features, by TFDS' own description, with rows of small images."""
    import tensorflow_datasets as tfds
    from PIL import Image

    draw = np.random.default_rng(1)
    images = draw.integers(0, 256, (300, 32, 32, 3), "uint8")

    def row(i):
        png = io.BytesIO()
        Image.fromarray(images[i]).save(png, "PNG")
        return {"id": f"{i}", "image": png.getvalue(), "label": i % 100, "coarse_label": i % 20}

    class Split(list):
        def __getitems__(self, numbers):
            return [self[i] for i in numbers]

    rows = {"train": Split(map(row, range(200))), "test": Split(map(row, range(200, 300)))}

    class Format:
        value = "array_record"

    class Info:
        splits, file_format, version = rows, Format, "3.0.2"

    class Builder:
        info = Info

        def as_data_source(self, split, decoders):
            assert set(decoders) == {"image"}
            return rows[split]

    def builder(name, data_dir):
        assert name == "cifar100"
        return Builder()

    monkeypatch.setattr(tfds, "builder", builder)
    dataset = replace(DATASETS["cifar100"], counts=(200, 100))
    data = cifar.prepared(dataset)
    assert (data.name, data.version) == ("cifar100", "3.0.2")
    assert (np.concatenate([data.train_images, data.test_images]) == images).all()
    assert data.train_labels.tolist() == [i % 100 for i in range(200)]
    with pytest.raises(InputError, match="labels run from 0 to 99, not from 0 to 9"):
        cifar.prepared(replace(dataset, classes=10))


def test_tensorflow_datasets_describes_cifar100_as_it_is_read():
    import tensorflow_datasets as tfds

    features = tfds.builder("cifar100").info.features
    assert features["label"].num_classes == DATASETS["cifar100"].classes
    assert features["image"].shape == (32, 32, 3)


class Site(threading.Thread):
    """Serves one content under every address of 127.0.0.1."""

    def __init__(self, content):
        from http.server import BaseHTTPRequestHandler, HTTPServer

        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.gets += 1
                self.do_HEAD()
                self.wfile.write(content)

            def do_HEAD(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()

            def log_message(self, *_): ...

        super().__init__(daemon=True)
        self.gets = 0
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/cifar-10-binary.tar.gz"

    def run(self):
        self.server.serve_forever()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def without_tensorflow(monkeypatch):
    monkeypatch.setattr(cifar, "find_spec", lambda name: None)


@pytest.mark.usefixtures("offline", "without_tensorflow")
def test_online_the_archive_is_fetched_and_kept(small_archive, monkeypatch):
    with Site(small_archive[0]) as site:
        changed(monkeypatch, url=site.address)
        fetched = load("auto", TIERS["laptop"])
    assert (fetched.name, fetched.version) == ("cifar10", "binary")
    again = load("cifar10", TIERS["night"])
    assert fingerprint(again) == fingerprint(fetched)


@pytest.mark.usefixtures("offline", "without_tensorflow")
def test_two_at_once_fetch_it_once(small_archive, monkeypatch):
    with Site(small_archive[0]) as site, ThreadPoolExecutor(2) as pool:
        changed(monkeypatch, url=site.address)
        found = list(pool.map(lambda _: cifar.fetch(DATASETS["cifar10"]), range(2)))
    assert site.gets == 1
    assert len({fingerprint(data) for data in found}) == 1


@pytest.mark.usefixtures("offline", "without_tensorflow")
def test_a_wrong_download_is_refused_and_leaves_nothing_to_trust(small_archive, monkeypatch):
    with Site(small_archive[0] + b"x") as site:
        changed(monkeypatch, url=site.address)
        with pytest.raises(InputError, match="fetching CIFAR-10 from its site failed"):
            load("auto", TIERS["laptop"])
    assert not cifar.archive_path(DATASETS["cifar10"]).exists()


@pytest.mark.usefixtures("offline", "without_tensorflow")
def test_a_cut_archive_is_fetched_again(small_archive, monkeypatch):
    cifar.archive_path(DATASETS["cifar10"]).parent.mkdir(parents=True)
    cifar.archive_path(DATASETS["cifar10"]).write_bytes(small_archive[0][:-1])
    assert cifar.archived(DATASETS["cifar10"]) is None
    with Site(small_archive[0]) as site:
        changed(monkeypatch, url=site.address)
        assert load("cifar10", TIERS["laptop"]).version == "binary"


@pytest.mark.skipif(
    "tensorflow" not in installed_backends(), reason="what images are like is tested on one backend"
)
def test_linear_classifier_stays_far_behind_a_small_cnn(generated):
    """Test accuracy: least squares on the pixels 15 %, ResNet-8 after 312 steps 95 to 96 %."""
    from keras.backend import backend

    from reproductions.experiments.spec import spec_of
    from reproductions.workloads.training.loop import train

    tier = replace(TIERS["laptop"], depths=((20, 8),))
    arrays = at_tier(generated, tier)
    x, z = (
        standardised(arrays[f"{split}_images"]).reshape(10_000, -1) for split in ("train", "test")
    )
    one_hot = np.eye(10)[arrays["train_labels"]]
    ridge = np.linalg.solve(x.T @ x + 100 * np.eye(x.shape[1]), x.T @ one_hot)
    linear = ((z @ ridge).argmax(1) == arrays["test_labels"]).mean()
    spec = spec_of("resnet-20", tier, 0, backend(), generated.identity())
    result, _ = train(spec, arrays)
    network = 1 - result["final"]["test_error"]
    assert linear < 0.25
    assert network > 0.85


def test_readers_are_told_which_copy_it_is():
    assert "GENERATED IMAGES" in copy_note({"name": "embedded", "sha256": EMBEDDED})
    assert "none that the committed" in copy_note({"name": "cifar10", "sha256": "0"})
    for known in DATASETS["cifar10"].known_copies:
        assert "JPEG" in copy_note({"name": "cifar10", "sha256": known})
