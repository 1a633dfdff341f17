"""Training data: `data folder "flowers" val=20%`, and how it is split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...dsl.diagnostics import Label
from ..language.kinds import choice, custom, file_name, share, switch, tuple_of, whole
from ..language.problems import Problem
from ..language.signature import ArgumentError
from ..language.values import Text, Word, name_or_text, percent, quoted, show
from .directive import Context, Directive, conflict

SMALL = 64
"""For grayscale inputs up to this size, the bundled digits are the default data."""

PARTS: dict[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""The folders that divide a data set of images, under any of their usual names."""


def _share_or_path(value: object) -> Any:
    if isinstance(value, Text):
        if not value.strip() or not value.isprintable():
            raise ArgumentError("a folder cannot have this name")
        return str(value)
    return _SHARE.read(value)


UNLABELLED = 255
"""The value of pixels in a mask that have no label."""


def _class_number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= UNLABELLED:
        raise ArgumentError(f"{show(value)} is not a class number from 0 to {UNLABELLED}")
    return value


def _write(value: Any) -> str:
    return quoted(value) if isinstance(value, str) else percent(value)


_SHARE = share("", part=True)


def _column_name(value: object) -> str:
    if not isinstance(value, (Text, Word)) or not str(value).strip():
        raise ArgumentError(f"{show(value)} is not a name")
    return str(value)


def _column(doc: str) -> Any:
    return custom(
        doc, _column_name, "the name of a column", None,
        keyword_only=True, takes_words=True, write=name_or_text,
    )  # fmt: skip


def _ignored() -> Any:
    return tuple_of(
        "values in masks that stand for no label; 255 always does",
        _class_number, "a class number, or several like (0, 11)", None, keyword_only=True,
        elsewhere="ignore_index void_class",
    )  # fmt: skip


def _rate() -> Any:
    return whole(
        "for sound: samples in a second that it is brought to; by default those of the files, which"
        " must agree", None, minimum=1, maximum=10**7, keyword_only=True,
        elsewhere="sample_rate sampling_rate sr samplerate",
    )  # fmt: skip


_VAL = "share of images for validation; by default the data set's own validation part, else 20 %"


class Data(Directive):
    """The images and labels to train on."""

    section = "train"
    advice: ClassVar[Mapping[str, str]] = {
        "images are always shuffled before each epoch: take it out": "shuffle shuffle_data"
        " reshuffle shuffle_buffer",
        "memory is pinned where that helps: take it out": "pin_memory persistent_workers prefetch"
        " prefetch_factor non_blocking",
        "the network itself is written in `network Name { … }`: take it out": "model net"
        " architecture arch backbone",
        "the device is chosen on the command line, with `--device`: take it out": "device"
        " gpu gpus cuda accelerator devices",
        "write it with the data: `data … folds=5`": "folds kfold kfolds k_fold k_folds n_folds"
        " cross_validation cross_validate crossvalidation cv stratified_kfold group_kfold",
        "write it with the data, `data … fold=2`; or on the command line, `--fold 2`": "fold",
    }
    elsewhere: ClassVar[Mapping[str, str]] = {
        "data": "dataset datasets dataloader data_dir train_dir train_data",
        "data folder": "imagefolder image_folder flow_from_directory from_folder"
        " image_dataset_from_directory imagedataloaders",
    }

    classes: ClassVar[int | None] = None
    """Number of classes, if it is known in advance."""
    image_files: ClassVar[bool] = False
    """Whether it consists of image files, which may differ in size."""

    val: Any = share(
        _VAL, None, part=True, keyword_only=True, elsewhere="validation_split valid_pct split"
    )
    bad: float = share("tolerated share of unreadable files", 0.01, keyword_only=True)
    folds: int | None = whole(
        "cross-validation: train a network for each of so many equal parts of the training images,"
        " on all the others; `fold` trains one of them alone", None, minimum=2, maximum=1000,
        keyword_only=True,
        elsewhere="n_splits kfold k_fold n_folds",
    )  # fmt: skip
    fold: int | None = whole(
        "train one network only: the fold for validation, from 1; the others are for training",
        None, maximum=1000,
        keyword_only=True, elsewhere="fold_index fold_number",
    )  # fmt: skip

    def check(self) -> None:
        if self.folds is None and self.fold is not None:
            raise ArgumentError(
                "there is one fold, and no number of folds", f"write `folds=5 fold={self.fold}`"
            )
        if self.folds is None:
            return
        if self.fold is not None and self.fold > self.folds:
            raise ArgumentError(
                f"there is no fold {self.fold} of {self.folds}: they count from 1",
                f"write `fold={self.folds}`, or less",
            )
        if self.val is not None:
            raise ArgumentError(
                "folds divide the images into training and validation, and so does `val`",
                "take `val` out",
                drop="val",
            )

    @property
    def cross_validated(self) -> bool:
        """Whether a network is trained for each fold."""
        return self.folds is not None and self.fold is None

    @property
    def ignored(self) -> tuple[int, ...]:
        """The values of masks that stand for no label."""
        return (*(self.arguments.get("ignore") or ()), UNLABELLED)

    @classmethod
    def usual(cls, context: Context) -> Data:
        small_and_gray = context.size and context.channels == 1 and max(context.size) <= SMALL
        return Digits() if small_and_gray else NoData()


class NoData(Data):
    """No `data` directive is given."""


class Folder(Data):
    """A folder with one folder of images for each class.

    Or with images and their masks: folders `images` and `masks`, both with the same names. An image
    may have several classes: it is in several folders, or `a.txt` beside `a.jpg` has its tags. Or,
    for networks that answer with an image, with pairs of them, `noisy` and `clean`; without pairs,
    the network learns the images themselves. For a network that takes series or scans: of WAV, CSV,
    .npy or .npz files.
    """

    word = "data folder"
    image_files = True
    misplaced: ClassVar[Mapping[str, str]] = {
        'labels in a table are `data table "labels.csv" root="photos"`': "labels label csv table"
        " labelsfile labelscsv annotations csvfile",
        'groups are in a table: `data table "labels.csv" root="photos" group=patient`': "group"
        " groups",
    }

    path: str = file_name("the folder, relative to that of the spec", example='"data"')
    val: Any = custom(
        f"{_VAL}; or another folder",
        _share_or_path,
        "a share above 0 % and below 100 %, or a folder",
        None,
        keyword_only=True,
        write=_write,
        elsewhere="validation_split valid_pct split",
    )
    type: str = choice(
        "whether an image may be in the folders of several classes; `auto` tells by the images",
        ("auto", "class", "several"), "auto", keyword_only=True,
    )  # fmt: skip
    masks: str | None = file_name(
        "name of the folder of masks; by default one of the usual names", None, keyword_only=True
    )
    target: str | None = file_name(
        "name of the folder of images to be answered; by default one of the usual names", None,
        keyword_only=True,
    )  # fmt: skip
    ignore: tuple[int, ...] | None = _ignored()
    rate: int | None = _rate()


class TableData(Data):
    """A table with a row for each image: its file, and its labels.

    Labels are a class, several classes (`beach|sunset`, or a column of 0 and 1 for each), numbers,
    or the file of a mask.
    """

    word = "data table"
    image_files = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "data table": "data_csv flow_from_dataframe from_csv from_df dataframe"
    }

    path: str = file_name("the file: CSV, TSV or Parquet", example='"labels.csv"')
    image: str | None = _column("column of the image files; by default found by its contents")
    inputs: tuple[str, ...] | None = tuple_of(
        "for a network with several inputs: the columns of their files, in the order of the inputs;"
        " by default the columns called like the inputs", _column_name,
        "the names of columns, like (left, right)", None, keyword_only=True, takes_words=True,
    )  # fmt: skip
    label: tuple[str, ...] | None = tuple_of(
        "column of the labels, or several; by default found by its name", _column_name,
        "the name of a column, or several like (x, y)", None,
        keyword_only=True, takes_words=True, elsewhere="labels target y_col",
    )  # fmt: skip
    type: str = choice(
        "what labels are; `auto` tells by their values",
        ("auto", "class", "several", "numbers", "masks"), "auto", keyword_only=True,
    )  # fmt: skip
    root: str | None = file_name(
        "folder that image files are relative to; by default that of the table", None,
        keyword_only=True, elsewhere="images images_dir img_dir image_dir folder directory dir",
    )  # fmt: skip
    names: str | None = file_name(
        "file of the names of classes, if labels are their numbers: a name on each line, or JSON;"
        " by default `classes.txt` beside the table", None, keyword_only=True,
        elsewhere="class_names classes_file",
    )  # fmt: skip
    part: str | None = _column("column that says train, val or test; by default found by its name")
    group: str | None = _column(
        "column of what must not be split apart: images of one patient are all in one part"
    )
    weight: str | None = _column(
        "column of weights, from 0: how often a training image is drawn, compared with others"
    )
    ignore: tuple[int, ...] | None = _ignored()
    rate: int | None = _rate()


class Coco(Data):
    """Images whose masks are the regions of COCO annotations: polygons, or run lengths (RLE).

    Classes are `background` and the categories. Smaller regions are on top; crowds have no label.
    """

    word = "data coco"
    image_files = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "data coco": "coco_instances CocoDetection coco_json register_coco_instances"
    }

    path: str = file_name(
        "the file of annotations, or a folder with one for each part", example='"annotations.json"'
    )
    val: Any = custom(
        f"{_VAL}; or another file of annotations",
        _share_or_path,
        "a share above 0 % and below 100 %, or a file",
        None,
        keyword_only=True,
        write=_write,
        elsewhere="validation_split valid_pct split",
    )
    root: str | None = file_name(
        "folder of the images; by default that of the annotations, or one beside it", None,
        keyword_only=True,
    )  # fmt: skip


class HuggingFace(Data):
    """A data set that Hugging Face's `save_to_disk` wrote, or Parquet files from its Hub.

    Labels are class labels, lists of them, numbers, texts, or a second column of images: masks.
    """

    word = "data hf"
    image_files = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "data hf": "load_from_disk load_dataset huggingface hugging_face hf_dataset"
    }

    path: str = file_name("the folder, or a Parquet file", example='"saved"')
    image: str | None = _column("column of images; by default found by its type")
    label: tuple[str, ...] | None = tuple_of(
        "column of the labels, or several numbers; by default found by its type", _column_name,
        "the name of a column, or several like (x, y)", None,
        keyword_only=True, takes_words=True, elsewhere="labels target y_col",
    )  # fmt: skip
    ignore: tuple[int, ...] | None = _ignored()


FULL = "full"
"""Shuffled over the whole set."""


def _window(value: object) -> int | str:
    if isinstance(value, Word) and value in ("auto", FULL):
        return str(value)
    return _WINDOW.read(value)  # type: ignore[no-any-return]


_WINDOW = whole("", minimum=2, maximum=10**9)


class Shards(Data):
    """Tar files of samples (shards), in the format of WebDataset: `a.jpg` and `a.cls` are one.

    They are neither unpacked nor read in order: images are read from their places. Labels are a
    class (`.cls`), a field of `.json`, numbers, or masks (`.seg.png`).
    """

    word = "data shards"
    image_files = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "data shards": "webdataset wds tar tars img2dataset tarfile"
    }

    path: str = file_name(
        "a folder of tar files, or their names, where `{0000..0012}` is each number, `*` anything;"
        " also an address, like `s3://bucket/set` or `https://host/set/train-{0000..0012}.tar`",
        example='"train-{0000..0012}.tar"',
    )
    val: Any = custom(
        f"{_VAL}; or other tar files",
        _share_or_path,
        "a share above 0 % and below 100 %, or tar files",
        None,
        keyword_only=True,
        write=_write,
        elsewhere="validation_split valid_pct split",
    )
    image: str | None = _column("ending of the images, like jpg; by default found")
    label: tuple[str, ...] | None = tuple_of(
        "ending of the labels, like cls or seg.png, or a field of .json, or several numbers there;"
        " by default found by its name", _column_name,
        "an ending or a field, or several like (x, y)", None,
        keyword_only=True, takes_words=True, elsewhere="labels target",
    )  # fmt: skip
    type: str = choice(
        "what labels are; `auto` tells by their values",
        ("auto", "class", "several", "numbers"), "auto", keyword_only=True,
    )  # fmt: skip
    names: str | None = file_name(
        "file of the names of classes, if labels are their numbers: a name on each line, or JSON;"
        " by default `classes.txt` beside the tar files", None, keyword_only=True,
        elsewhere="class_names classes_file",
    )  # fmt: skip
    window: int | str = custom(
        "number of training images that are shuffled with each other, so that files are read in"
        " pieces; by default all, but about 4 GiB where files are not on this computer, or of more"
        " than 16,777,216 images",
        _window, "a number of images, `full` or `auto`", "auto",
        keyword_only=True, takes_words=True, words=("auto", FULL),
        elsewhere="shuffle shuffle_buffer shuffle_block_size buffer_size shardshuffle",
    )  # fmt: skip
    ignore: tuple[int, ...] | None = _ignored()


class Digits(Data):
    """1,797 handwritten digits of 8x8 pixels, which come with dotcnn."""

    word = "data digits"
    classes = 10


class NamedArrays(Data):
    """Arrays of images and labels that have names."""

    path: str = file_name("the file", example='"data.npz"')
    images: str | None = file_name(
        "name of the array of images; by default one of the usual names", None, keyword_only=True
    )
    labels: str | None = file_name(
        "name of the array of labels; by default one of the usual names", None, keyword_only=True
    )
    ignore: tuple[int, ...] | None = _ignored()


class Npz(NamedArrays):
    """A NumPy archive of images, series or scans, and labels: `x_train`, `y_train` and so on.

    Labels may be masks: arrays of class numbers, images x height x width; of series, one for each
    step, of scans, one for each voxel.
    """

    word = "data npz"


class NpyFolder(NamedArrays):
    """A folder of NumPy files, `x_train.npy`, `y_train.npy` and so on, for series and scans.

    They are mapped into memory: a set larger than memory can be trained on. Labels may be masks, as
    those of `data npz`.
    """

    word = "data npy"
    elsewhere: ClassVar[Mapping[str, str]] = {"data npy": "memmap memory_map mmap"}

    path: str = file_name("the folder of the files", example='"data"')


class SeriesText(Data):
    """Series as text: a series in each line, the class first; the format of the UCR archive.

    A folder with `NAME_TRAIN` and `NAME_TEST` (.tsv, .csv or .txt), or one such file.
    """

    word = "data series"
    elsewhere: ClassVar[Mapping[str, str]] = {"data series": "ucr ucr_archive timeseries"}

    path: str = file_name("the file, or the folder", example='"GunPoint"')


class Idx(Data):
    """IDX files, the format of MNIST, compressed with gzip or not."""

    word = "data idx"

    path: str = file_name("the folder of the files", example='"mnist"')


class ArraysInMemory(Data):
    """Images and labels that a program passes: `dotcnn.train(spec, data=(images, labels))`."""

    word = "data arrays"
    offered = False


# ---- data sets by name -----------------------------------------------------------------------


class Named(Data):
    """A data set of torchvision, downloaded if it is missing."""

    root: str = file_name("the folder of the files", "data", keyword_only=True)
    download: bool = switch("download it if it is missing", True)


class Mnist(Named):
    """60,000 + 10,000 handwritten digits, 28x28, gray (LeCun et al., 1998)."""

    word = "data mnist"
    classes = 10


class FashionMnist(Named):
    """60,000 + 10,000 pieces of clothing, 28x28, gray (arXiv:1708.07747)."""

    word = "data fashion_mnist"
    elsewhere: ClassVar[Mapping[str, str]] = {"data fashion_mnist": "fashionmnist"}
    classes = 10


class Kmnist(Named):
    """60,000 + 10,000 characters of old Japanese script, 28x28, gray (arXiv:1812.01718)."""

    word = "data kmnist"
    classes = 10


class Emnist(Named):
    """Handwritten letters and digits, 28x28, gray (arXiv:1702.05373)."""

    word = "data emnist"

    PARTS: ClassVar[Mapping[str, int]] = {
        "balanced": 47, "byclass": 62, "bymerge": 47, "letters": 26, "digits": 10, "mnist": 10,
    }  # fmt: skip

    part: str = choice("one of its six splits", tuple(PARTS), "balanced", keyword_only=True)


class Cifar10(Named):
    """50,000 + 10,000 color photos of 10 kinds of objects, 32x32 (Krizhevsky, 2009)."""

    word = "data cifar10"
    classes = 10


class Cifar100(Named):
    """50,000 + 10,000 color photos of 100 kinds of objects, 32x32 (Krizhevsky, 2009)."""

    word = "data cifar100"
    classes = 100


class Svhn(Named):
    """House numbers, 32x32 (Netzer et al., 2011)."""

    word = "data svhn"
    classes = 10


class Stl10(Named):
    """5,000 + 8,000 color photos of 10 kinds of objects, 96x96 (Coates et al., 2011)."""

    word = "data stl10"
    classes = 10


class Flowers102(Named):
    """102 kinds of flowers (Nilsback and Zisserman, 2008)."""

    word = "data flowers102"
    image_files = True
    elsewhere: ClassVar[Mapping[str, str]] = {"data flowers102": "flowers oxfordflowers102"}
    classes = 102


class Food101(Named):
    """101 kinds of dishes (Bossard et al., 2014)."""

    word = "data food101"
    image_files = True
    classes = 101


class Pets(Named):
    """37 breeds of cats and dogs (Parkhi et al., 2012)."""

    word = "data pets"
    image_files = True
    elsewhere: ClassVar[Mapping[str, str]] = {"data pets": "oxfordiiitpet oxford_pets"}
    classes = 37


class ImageNet(Named):
    """ILSVRC 2012, 1,000 classes; not downloaded, since only registered users get the files."""

    word = "data imagenet"
    image_files = True
    elsewhere: ClassVar[Mapping[str, str]] = {"data imagenet": "ilsvrc2012 imagenet1k"}
    classes = 1000

    download: bool = switch("always off: it cannot be downloaded", False)

    def check(self) -> None:
        super().check()
        if self.download:
            raise ArgumentError(
                "ImageNet cannot be downloaded",
                "download its files yourself, into the folder `root`",
                drop="download",
            )


def classes_of(data: Data) -> int | None:
    """The number of classes of the data, if it is known without reading the files."""
    return Emnist.PARTS[data.part] if isinstance(data, Emnist) else data.classes


# ---- how it is split -----------------------------------------------------------------------


class Split(Directive):
    """How images are split into training, validation and test sets."""

    section = "train"
    word = "split"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "split": "random_split RandomSplitter train_test_split holdout"
    }
    advice: ClassVar[Mapping[str, str]] = {
        "write it with the data: `data … val=20%`": "val validation_split valid_pct val_split",
    }

    val: float | None = share(
        _VAL,
        None,
        part=True,
        elsewhere="validation valid",
    )
    test: float = share("share of images for a final test", 0.0)
    stratified: bool = switch(
        "split each class separately, so that the shares of classes stay the same", True
    )
    seed: int = whole("seed of the split", 0, minimum=0, keyword_only=True)

    def check(self) -> None:
        if (self.val or 0) + self.test >= 1:
            raise ArgumentError("nothing is left to train on", "make `val` or `test` smaller")

    def settle(self, context: Context) -> Split:
        """Takes over `val` from the `data` line, where it may be given, too."""
        val = context.get(Data).val
        return self.replace(val=val) if isinstance(val, float) else self

    def problems(self, context: Context) -> Iterator[Problem]:
        data = context.get(Data)
        if data.val is None or not data.origin or not self.origin:
            return
        if self.val is not None and self.val != data.val:
            own_place, data_place = self.place("val"), data.place("val")
            assert own_place is not None
            assert data_place is not None
            yield Problem(
                "conflict",
                "the validation share is given twice, with different values",
                own_place,
                labels=(Label(data_place, "the other"),),
                help="keep one of them",
                edits=conflict("", self, data).diagnostic.edits,
            )
