"""The data sets by name. To add one is to add an entry here."""

from collections.abc import Mapping

from ..evidence.errors import InputError
from ..experiments.tiers import Tier
from . import cifar
from .dataset import Archive, Data, Dataset, Identity, checked
from .memo import remember
from .synthetic import embedded_images

SITE = "https://www.cs.toronto.edu/~kriz"

DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "cifar10", "CIFAR-10", counts=(50_000, 10_000), classes=10,
            # The binary version of https://www.cs.toronto.edu/~kriz/cifar.html; digests from TFDS.
            archive=Archive(
                f"{SITE}/cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                "cifar-10-batches-bin",
                tuple(f"data_batch_{i}.bin" for i in range(1, 6)), ("test_batch.bin",),
            ),
            known_copies={
                "45d97e25d1f166562e0dc7607ce71657ebef18d5d385a876d1a33257a61a0321": (
                    "a copy whose images are JPEG files of quality 75; labels and splits are the "
                    "original ones. Error rates are a little higher than on the lossless images, "
                    "from which published figures come."
                ),
            },
            least_error=0.0346,  # arXiv:1608.06993, table 2, with augmentation
        ),
        Dataset(
            "cifar100", "CIFAR-100", counts=(50_000, 10_000), classes=100,
            # A row has the label of one of twenty groups first, then that of the class.
            archive=Archive(
                f"{SITE}/cifar-100-binary.tar.gz",
                "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                "cifar-100-binary", ("train.bin",), ("test.bin",), labels=2,
            ),
            least_error=0.1718,  # arXiv:1608.06993, table 2, with augmentation
        ),
        Dataset(
            "embedded", "generated images", counts=(10_000, 10_000), classes=10,
            generate=embedded_images,
        ),
    )
}  # fmt: skip
PUBLISHED = tuple(name for name, dataset in DATASETS.items() if dataset.archive)
DEFAULT = "cifar10"  # what the claims are about, and `auto` would rather have
EMBEDDED = "embedded"
CHOICES = ("auto", *DATASETS)
EMBEDDED_TIERS = ("smoke", "laptop")


def dataset_of(identity: Mapping[str, str]) -> Dataset:
    """The data set that a run's spec names.

    Raises:
        InputError: there is none of that name.
    """
    if identity["name"] not in DATASETS:
        raise InputError(f"there is no data set {identity['name']!r}: {', '.join(DATASETS)}.")
    return DATASETS[identity["name"]]


def load(choice: str, tier: Tier) -> Data:
    """The data that `choice` gives at `tier`, whole.

    A published set is prepared by TensorFlow Datasets or fetched, or refused; "embedded" is
    generated; "auto" is embedded at the smoke tier, elsewhere CIFAR-10 where it is or its site
    answers, else embedded at the tiers that allow it.

    Raises:
        InputError: the data cannot be had, are damaged, or are not allowed at this tier.
    """
    if choice not in CHOICES:
        raise InputError(f"there is no data {choice!r}: choose {', '.join(CHOICES)}.")
    if choice == EMBEDDED and tier.name not in EMBEDDED_TIERS:
        raise InputError(
            f"the embedded data serve the tiers {' and '.join(EMBEDDED_TIERS)} only: "
            f"the {tier.name} tier needs --data {DEFAULT}."
        )
    if choice == EMBEDDED or (choice == "auto" and tier.name == "smoke"):
        return embedded()
    dataset = DATASETS[DEFAULT if choice == "auto" else choice]
    data = cifar.find(dataset)
    if data:
        return data
    if choice == "auto" and tier.name in EMBEDDED_TIERS:
        return embedded()
    raise InputError(
        f"{unavailable(dataset)}: prepare it there, or go online"
        + ("." if tier.name not in EMBEDDED_TIERS else ", or choose --data embedded.")
    )


def identify(choice: str, tier: Tier) -> Identity:
    """The identity of the data that `choice` gives at `tier`. The same files are decoded once.

    Raises:
        InputError: as `load`.
    """
    name = DEFAULT if choice == "auto" and tier.name != "smoke" else choice
    files = cifar.prepared_files(DATASETS[name]) if name in PUBLISHED else []
    if not files:
        return load(choice, tier).identity()
    import PIL

    return remember(files, f"Pillow {PIL.__version__}", lambda: load(choice, tier).identity())


def unavailable(dataset: Dataset) -> str:
    """That a published data set is neither here nor at its site."""
    return (
        f"{dataset.title} is not prepared under TFDS_DATA_DIR ({cifar.tfds_folder()}) and its site "
        f"did not answer within {cifar.PROBE_SECONDS} seconds"
    )


def why_embedded() -> str:
    """Why `auto` took the embedded images at a tier that would rather have CIFAR-10."""
    return f"{unavailable(DATASETS[DEFAULT])}: the embedded images stand in."


def embedded() -> Data:
    """The generated set: see `synthetic.py`."""
    dataset = DATASETS[EMBEDDED]
    return checked(Data(EMBEDDED, "1", *embedded_images(*dataset.counts)), dataset)


def copy_note(identity: Mapping[str, str]) -> str:
    """What a reader must know of data before comparing numbers."""
    if identity["name"] == EMBEDDED:
        return (
            "These are GENERATED IMAGES, NOT CIFAR-10: verdicts are about this data set, and "
            "published figures are about another."
        )
    dataset = DATASETS.get(identity["name"])
    title, known = (dataset.title, dataset.known_copies) if dataset else (identity["name"], {})
    unknown = "these decoded arrays are none that the committed records were made with."
    return f"{title}: {known.get(identity['sha256'], unknown)}"
