"""Files: NPY of all types and orders, IDX, CSV, raw and compressed ones give the
numbers that NumPy has, in blocks of any size, kept or streamed, on one node or
three; what is written is what NumPy reads; and what is damaged is refused."""

import gzip
import os
import struct
import subprocess

import numpy as np
from harness import BLOCKS, Tap, run, scratch

tap = Tap()
rng = np.random.default_rng(5)
wide = rng.standard_normal((301, 17)) * 10.0 ** rng.integers(-30, 30, (301, 17))


def path(name):
    return os.path.join(directory, name)


def converted(name, *options, **how):
    run("convert", "--input", path(name), "--output", path("out.npy"), *options,
        **how)
    return np.load(path("out.npy"))


def same(name, right, what, *options, **how):
    got = converted(name, *options, **how)
    tap.ok(got.shape == right.shape and np.array_equal(got, right), what)


def test_npy():
    for kind in ("<f8", ">f8", "<f4", ">f4", "i1", "<i2", ">i4", "<i8", "u1",
                 ">u2", "<u4", "u8", "?"):
        numbers = (wide if "f" in kind else
                   rng.integers(0, 100, wide.shape)).astype(kind)
        for order in "CF":
            np.save(path("a.npy"), np.asarray(numbers, order=order))
            same("a.npy", numbers.astype(float), f"NPY of {kind}, order {order}",
                 "--block-rows", 50, "--block-cols", 5)
    np.save(path("a.npy"), np.arange(7))
    same("a.npy", np.arange(7.0)[:, None], "one dimension is a column")
    cube = rng.random((9, 3, 4))
    np.save(path("a.npy"), cube)
    same("a.npy", cube.reshape(9, 12), "three dimensions are rows of matrices")
    np.save(path("a.npy"), wide)
    same("a.npy", wide, "streamed", "--stream", "--block-rows", 7, "--window", 3)
    same("a.npy", wide[20:30, 3:8], "a part", "--row", 21, "--rows", 10,
         "--column", 4, "--columns", 5, "--block-rows", 8, "--block-cols", 3)
    same("a.npy", wide, "on three workers", "--block-rows", 40, workers=3,
         directory=directory)
    with gzip.open(path("b.npy.gz"), "wb") as file:
        np.save(file, wide)
    same("b.npy.gz", wide, "compressed")


def test_text():
    with open(path("a.csv"), "w", encoding="ascii") as file:
        file.write("first,second," + ",".join(["x"] * 15) + "\n")
        for row in wide:
            file.write(",".join(map(repr, row)) + "\r\n\n")
    same("a.csv", wide, "CSV with a header, blank lines and CR")
    same("a.csv", wide, "in blocks", "--block-rows", 9, "--block-cols", 4)
    np.savetxt(path("a.txt"), wide, fmt="%25.17g")
    same("a.txt", wide, "text with blanks", "--delimiter", " ")
    np.savetxt(path("a.tsv"), wide, fmt="%.17g", delimiter="\t", newline="\n")
    same("a.tsv", wide, "text with tabs")
    with open(path("a.tsv"), "r+b") as file:
        file.truncate(os.path.getsize(path("a.tsv")) - 1)
    same("a.tsv", wide, "without an end of the last line")
    # Many chunks; a line at each place of their borders.
    large = rng.integers(-999, 999, (200000, 4)) / 8.0
    np.savetxt(path("large.csv"), large, fmt="%g", delimiter=",")
    same("large.csv", large, "several MB of CSV", "--block-rows", 3333)
    same("large.csv", large, "on three workers, streamed", "--block-rows", 9999,
         "--stream", workers=3, directory=directory)
    run("convert", "--input", path("a.npy"), "--output", path("b.csv"))
    tap.ok(np.array_equal(np.loadtxt(path("b.csv"), delimiter=","), wide),
           "CSV that is written is the same numbers")


def test_others():
    np.save(path("a.npy"), wide)
    images = rng.integers(0, 256, (50, 4, 6), dtype=np.uint8)
    header = struct.pack(">4B3I", 0, 0, 8, 3, 50, 4, 6)
    with gzip.open(path("some-idx3-ubyte.gz"), "wb") as file:
        file.write(header + images.tobytes())
    same("some-idx3-ubyte.gz", images.reshape(50, 24).astype(float), "IDX")
    numbers = rng.random((8, 3)).astype(">f4")
    with open(path("idx-of-floats"), "wb") as file:
        file.write(struct.pack(">4B2I", 0, 0, 0xD, 2, 8, 3) + numbers.tobytes())
    same("idx-of-floats", numbers.astype(float), "IDX of floats")
    wide.astype(">f4").tofile(path("a.raw"))
    same("a.raw", wide.astype("f4").astype(float), "raw", "--type", ">f4",
         "--cols", 17, "--block-rows", 13)
    run("convert", "--input", path("a.npy"), "--output", path("b.raw"))
    tap.ok(np.array_equal(np.fromfile(path("b.raw")).reshape(wide.shape), wide),
           "raw numbers that are written")


def test_commands():
    np.save(path("a.npy"), wide)
    np.save(path("b.npy"), rng.random((17, 6)))
    b = np.load(path("b.npy"))
    run("multiply", "--input", path("a.npy"), "--by", path("b.npy"), "--output",
        path("c.npy"), "--block-rows", 30, "--block-cols", 4)
    tap.close(np.load(path("c.npy")), wide @ b, 1e-14, "the product")
    run("transpose", "--input", path("a.npy"), "--output", path("c.npy"))
    tap.ok(np.array_equal(np.load(path("c.npy")), wide.T), "the transposed")
    run("fold", "--input", path("a.npy"), "--what", "norm", "--of", "rows",
        "--output", path("c.npy"), "--stream", "--block-rows", 11)
    tap.close(np.load(path("c.npy"))[:, 0], np.linalg.norm(wide, axis=1), 1e-14,
              "norms of rows, streamed")
    small = rng.random((99, 5))
    small[:, 2] = 4
    np.save(path("a.npy"), small)
    run("scale", "--input", path("a.npy"), "--output", path("c.npy"))
    spread = np.where(small.std(axis=0) > 1e-9, small.std(axis=0), 1)
    tap.close(np.load(path("c.npy")), (small - small.mean(axis=0)) / spread,
              1e-13, "scaled columns")
    sums = set()
    for workers, rows in ((0, 16), (0, 1000), (3, 77)):
        run("random", "--normal", "--rows", 300, "--columns", 9, "--block-rows",
            rows, "--output", path("r.npy"), workers=workers,
            directory=directory)
        with open(path("r.npy"), "rb") as file:
            sums.add(file.read())
    tap.ok(len(sums) == 1, "random numbers are the same in any blocks")


def test_memory():
    """A streamed file is never in memory as a whole."""
    with open(path("wide.raw"), "wb") as file:
        for _ in range(100):  # 102 MB, of which this process has one
            file.write(np.ones(128000).tobytes())
    most = {}
    for how in ("--stream", "--no-stream"):
        with subprocess.Popen([BLOCKS, "info", "--input", path("wide.raw"), how,
                               "--window", "4", "--cols", "128"],
                              stdout=subprocess.DEVNULL) as child:
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        most[how] = used.ru_maxrss // 1024
    tap.ok(most["--stream"] < 80 < most["--no-stream"],
           f"streamed, a file of 102 MB takes {most}")
    os.remove(path("wide.raw"))


def refused(text, *arguments, **how):
    said = run(*arguments, status=2, **how)
    tap.ok(text in said and said.count("\n") == 1, f"refused: {said.strip()}",
           f"not '{text}'")


def write(name, content):
    with open(path(name), "wb") as file:
        file.write(content)
    return path(name)


def test_refusals():
    np.save(path("a.npy"), wide)
    with open(path("a.npy"), "rb") as file:
        good = file.read()
    refused("cannot read", "info", "--input", path("none.npy"))
    refused("no ordinary file", "info", "--input", directory)
    refused("--input FILE", "info")
    refused("is cut off", "info", "--input", write("cut.npy", good[:-1]))
    refused("is cut off", "info", "--input", write("cut.npy", good[:60]))
    refused("is no NPY file", "info", "--input", write("cut.npy", b"hello there"))
    refused("holds '<c16'", "info", "--input",
            write("c.npy", good.replace(b"'<f8'", b"'<c16'")))
    refused("holds no numbers", "info", "--input", write("e.csv", b""))
    refused("row 2 has 3 columns, the first one has 2", "info", "--input",
            write("a.csv", b"1,2\n3,4,5\n"))
    refused("row 3 has 1 columns", "info", "--input",
            write("a.csv", b"x,y\n1,2\n3,4\n5\n"))
    refused("row 2, column 2 is no number: '3,y'", "info", "--input",
            write("a.csv", b"1,2\n3,y\n"))
    refused("row 1, column 2 is not a number (NaN)", "info", "--input",
            write("a.csv", b"1,nan\n"))
    refused("row 1, column 2 is infinite", "info", "--input",
            write("a.csv", b"1,-inf\n"))
    numbers = wide.copy()
    numbers[300, 16] = np.nan
    np.save(path("a.npy"), numbers)
    for more in ((), ("--stream",)):
        refused("row 301, column 17 is not a number", "info", "--input",
                path("a.npy"), "--block-rows", 10, *more)
    tap.ok("least" in run("info", "--input", path("a.npy"), "--nan"),
           "NaN is allowed when it is said")
    refused("how many columns", "info", "--input", write("a.raw", b"x" * 64))
    refused("no rows of 3", "info", "--input", path("a.raw"), "--cols", 3)
    refused("no type", "info", "--input", path("a.raw"), "--cols", 2, "--type",
            "f3")
    packed = gzip.compress(good)
    refused("cut off or damaged", "info", "--input",
            write("a.npy.gz", packed[:len(packed) // 2]))
    refused("no IDX file", "info", "--input", write("idx-x", b"\0\0\7\1" * 9))
    refused("is cut off", "info", "--input",
            write("idx-x", struct.pack(">4BI", 0, 0, 8, 1, 9)))
    refused(".npy, .csv or .raw", "convert", "--input", write("b.npy", good),
            "--output", path("x.tar"))
    refused("cannot write", "convert", "--input", path("b.npy"), "--output",
            path("none/x.npy"))
    refused("no product", "multiply", "--input", path("b.npy"), "--by",
            path("b.npy"), "--output", path("x.npy"))


with scratch() as directory:
    test_npy()
    test_text()
    test_others()
    test_commands()
    if not os.environ.get("SANITIZER_CFLAGS"):
        test_memory()
    test_refusals()
    left = [name for name in os.listdir(directory) if name.endswith(".part")]
    tap.ok(not left, "nothing is left", left)
tap.done()
