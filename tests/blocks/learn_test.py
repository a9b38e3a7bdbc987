"""k-means, principal components, linear and logistic regression, on scikit-learn's
own real data and on images of Fashion-MNIST: the same centres, axes and weights as
scikit-learn and LAPACK find, within the tolerance that each check names, and the
same bits on one core, two, and three workers, streamed or not."""

import os

import numpy as np
from harness import Tap, run, run_and_kill, scratch
from scipy import linalg
from sklearn import cluster, datasets, decomposition, linear_model

IMAGES = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
tap = Tap()


def path(name):
    return os.path.join(directory, name)


def load(name):
    return np.load(path(name + ".npy"))


def save(name, numbers):
    np.save(path(name + ".npy"), np.asarray(numbers, dtype=float))


def learn(command, name, *options, outputs=("output",), **how):
    """Run it; the outputs' numbers."""
    where = [("--" + output, path(output + ".npy")) for output in outputs]
    said = run(command, "--input", path(name + ".npy"), *options,
               *(word for pair in where for word in pair), **how)
    return said, *(np.load(file) for _, file in where)


def same_bits(what, command, name, *options, outputs=("output",)):
    """On one core and three, and on three workers; streamed too."""
    results = set()
    for how in ({"cores": "1"}, {"cores": "3"},
                {"workers": 1, "directory": directory},
                {"workers": 3, "directory": directory}):
        learned = learn(command, name, *options, outputs=outputs, **how)
        results.add(b"".join(part.tobytes() for part in learned[1:]))
    learned = learn(command, name, *options, "--stream", "--window", 3,
                    outputs=outputs)
    results.add(b"".join(part.tobytes() for part in learned[1:]))
    tap.ok(len(results) == 1, f"{what}: the same bits for any workers")


def prepare():
    for name in ("iris", "digits", "breast_cancer", "wine", "diabetes"):
        data = getattr(datasets, "load_" + name)()
        save(name, data.data)
        save(name + "_y", data.target)
    scale = load("breast_cancer")
    save("cancer", (scale - scale.mean(axis=0)) / scale.std(axis=0))
    if os.path.exists(IMAGES):
        run("convert", "--input", IMAGES, "--rows", 1500, "--output",
            path("images.npy"))


def test_kmeans(name, k, *blocks):
    x = load(name)
    first = x[:: len(x) // k][:k]
    save("start", first)
    right = cluster.KMeans(k, init=first, n_init=1, tol=0, max_iter=300,
                           algorithm="lloyd").fit(x)
    said, centres, labels = learn(
        "kmeans", name, "--k", k, "--start", path("start.npy"), "--tolerance",
        -1, *blocks, outputs=("output", "labels-output"))
    tap.close(centres, right.cluster_centers_, 1e-9, f"k-means of {name}")
    tap.ok(np.array_equal(labels[:, 0], right.labels_), "each row's cluster")
    spread = float(said.split("spread ")[1].split(",")[0])
    tap.close(spread, right.inertia_, 1e-9, "and how far they are spread")
    save("other", x)
    said, centres = learn("kmeans", "other", "--k", k, "--seed", 3, *blocks)
    spread = float(said.split("spread ")[1].split(",")[0])
    best = cluster.KMeans(k, n_init=3, random_state=0).fit(x).inertia_
    tap.ok(spread < 1.15 * best, f"k-means++: {spread:.6g}, of three runs of "
           f"scikit-learn's {best:.6g}")


def test_empty(name, *blocks):
    """A first centre that no row is near goes to the row farthest from its own."""
    x = load(name)
    first = np.vstack([x[:2], 1000 + x[:1]])
    save("start", first)
    right = cluster.KMeans(3, init=first, n_init=1, tol=0, max_iter=300,
                           algorithm="lloyd").fit(x)
    _, centres = learn("kmeans", name, "--k", 3, "--start", path("start.npy"),
                       "--tolerance", -1, *blocks)
    tap.close(centres, right.cluster_centers_, 1e-9,
              f"k-means of {name} from an empty cluster")
    save("start", np.vstack([first, 2000 + x[:1]]))
    _, labels = learn("kmeans", name, "--k", 4, "--start", path("start.npy"),
                      *blocks, outputs=("labels-output",))
    tap.ok(len(np.unique(labels)) == 4, "and from two: none stays empty")


def aligned(axes, right):
    return axes * np.sign((axes * right).sum(axis=1))[:, None]


def test_pca(name, k, *blocks):
    x = load(name)
    right = decomposition.PCA(k, svd_solver="full").fit(x)
    for options in ((), ("--randomized", "--passes", 30)):
        said, axes, variances, projected = learn(
            "pca", name, "--components", k, *options, *blocks,
            outputs=("output", "variances-output", "projected-output"))
        what = f"PCA of {name} {' '.join(map(str, options))}"
        tap.close(variances[:, 0], right.explained_variance_, 1e-9, what)
        got = aligned(axes, right.components_)
        tap.close(got, right.components_, 1e-5, "axes")
        turn = np.sign((axes * right.components_).sum(axis=1))
        tap.close(projected * turn, right.transform(x), 1e-5, "rows")
        share = float(said.split("have ")[1].split(" %")[0])
        tap.close(share, 100 * right.explained_variance_ratio_.sum(), 1e-5,
                  "share of the variance")


def test_eigen():
    """All of a covariance, by LAPACK's dsyevd."""
    x = load("digits")
    values = linalg.eigh(np.cov(x.T), eigvals_only=True, driver="evd")[::-1]
    _, variances = learn("pca", "digits", "--block-cols", 10, "--block-rows",
                         600, outputs=("variances-output",))
    tap.close(variances[:, 0], np.maximum(values, 0), 1e-12,
              "all eigenvalues of a covariance")


def weights_of(model):
    return np.column_stack([np.atleast_2d(model.coef_),
                            np.atleast_1d(model.intercept_)])


def test_linear(name, *blocks):
    x, y = load(name), load(name + "_y")
    given = ("--labels", path(name + "_y.npy"), *blocks)
    right = weights_of(linear_model.LinearRegression().fit(x, y))
    for method in ((), ("--qr",)):
        _, got = learn("linear", name, *given, *method)
        tap.close(got, right, 1e-8, f"least squares of {name} {method}")
        for ridge in (0.1, 50):
            _, got = learn("linear", name, *given, *method, "--ridge", ridge)
            tap.close(got, weights_of(linear_model.Ridge(ridge, tol=1e-12).fit(
                x, y)), 1e-8, f"ridge {ridge} {method}")
        _, got = learn("linear", name, *given, *method, "--no-intercept")
        tap.close(got, weights_of(linear_model.LinearRegression(
            fit_intercept=False).fit(x, y)), 1e-8, "without an intercept")


def test_hard():
    """Columns that are nearly one another: QR keeps the digits that products
    lose; LAPACK's gelsd is the judge."""
    x = load("diabetes")
    x = np.column_stack([x, x[:, :3] + 1e-7 * np.sin(1e4 * x[:, 5:8])])
    y = x @ np.arange(1.0, 14.0)
    save("hard", x)
    save("hard_y", y)
    _, got = learn("linear", "hard", "--labels", path("hard_y.npy"), "--qr",
                   "--block-rows", 60)
    tap.close(got[0, :13], np.arange(1.0, 14.0), 1e-5, "QR of what is nearly singular")
    save("hard", np.column_stack([x[:, :5], x[:, 2]]))
    for method in ((), ("--qr",)):
        said = run("linear", "--input", path("hard.npy"), "--labels",
                   path("hard_y.npy"), *method, status=2)
        tap.ok("depend on one another" in said, "equal columns are refused")


def test_logistic(name, labels, ridge, *blocks):
    x, y = load(name), load(labels)
    right = linear_model.LogisticRegression(
        C=1 / ridge, multi_class="multinomial", solver="newton-cg", tol=1e-7,
        max_iter=20000).fit(x, y)
    said, got, chances, classes = learn(
        "logistic", name, "--labels", path(labels + ".npy"), "--ridge", ridge,
        "--tolerance", 1e-7, "--iterations", 20000, *blocks,
        outputs=("output", "chances-output", "predicted-output"))
    tap.ok("not converged" not in said, f"logistic of {name} converges")
    tap.close(chances, right.predict_proba(x), 1e-4, "chances")
    tap.ok((classes[:, 0] == right.predict(x)).all(), "classes")
    if len(right.classes_) > 2:
        tap.close(got[:, :-1], right.coef_, 1e-3, "weights")


def test_killed():
    """A worker is killed in the middle: the same bits."""
    given = ("--k", 40, "--tolerance", -1, "--iterations", 60, "--block-rows",
             1000)
    run("random", "--rows", 30000, "--cols", 60, "--output", path("many.npy"))
    _, right = learn("kmeans", "many", *given)
    said = run_and_kill(
        "kmeans", "--input", path("many.npy"), *given, "--output",
        path("killed.npy"), workers=3, directory=directory)
    tap.ok("is lost" in said, "a worker is killed in the run", said)
    tap.ok(np.array_equal(load("killed"), right), "and the bits are the same")


def test_refusals():
    iris = path("iris.npy")

    def refused(text, *arguments):
        said = run(*arguments, status=2)
        tap.ok(text in said and said.count("\n") == 1,
               f"refused: {said.strip()}", f"not '{text}'")

    refused("no 151 clusters of 150", "kmeans", "--input", iris, "--k", 151)
    refused("3 x 4 are needed", "kmeans", "--input", iris, "--k", 3, "--start",
            iris)
    refused("4 columns have no 5 components", "pca", "--input", iris,
            "--components", 5)
    refused("150 rows, and", "linear", "--input", path("wine.npy"), "--labels",
            path("iris_y.npy"))
    refused("no whole number", "logistic", "--input", iris, "--labels",
            path("frac.npy"))
    refused("labels are one column", "logistic", "--input", iris, "--labels",
            iris)
    refused("--labels FILE", "logistic", "--input", iris)
    refused("no command 'k-means'", "k-means")


with scratch() as directory:
    prepare()
    test_kmeans("iris", 3)
    test_kmeans("digits", 10, "--block-rows", 100, "--block-cols", 9)
    test_empty("iris")
    test_empty("wine", "--block-rows", 50, "--block-cols", 4)
    if os.path.exists(IMAGES):
        test_kmeans("images", 10, "--block-rows", 400)
        test_pca("images", 6, "--block-rows", 500)
        same_bits("k-means", "kmeans", "images", "--k", 10, "--iterations", 5,
                  "--block-rows", 200)
        same_bits("PCA", "pca", "images", "--components", 4, "--block-rows",
                  300, "--randomized")
    test_killed()
    test_pca("wine", 4)
    test_pca("digits", 5, "--block-rows", 300, "--block-cols", 20)
    test_eigen()
    test_linear("diabetes")
    test_linear("diabetes", "--block-rows", 30, "--block-cols", 3)
    test_hard()
    test_logistic("iris", "iris_y", 1)
    test_logistic("cancer", "breast_cancer_y", 1, "--block-rows", 77)
    test_logistic("digits", "digits_y", 1000, "--block-rows", 200,
                  "--block-cols", 50)
    same_bits("linear", "linear", "diabetes", "--labels",
              path("diabetes_y.npy"), "--qr", "--block-rows", 31)
    same_bits("logistic", "logistic", "digits", "--labels",
              path("digits_y.npy"), "--iterations", 7, "--block-rows", 111)
    save("frac", np.linspace(0, 2, 150))
    test_refusals()
tap.done()
