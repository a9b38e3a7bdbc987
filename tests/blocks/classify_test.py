"""Neighbours, Gaussian mixtures and random forests on real data: the neighbours
and mixtures of scikit-learn within the tolerance that each check names, forests
that know as much of rows they have not seen, of classes and of numbers, and the same bits on any number of
cores and workers."""

import os

import numpy as np
from harness import Tap, run, scratch
from sklearn import datasets, ensemble, metrics, mixture, neighbors

tap = Tap()


def path(name):
    return os.path.join(directory, name + ".npy")


def save(name, numbers):
    np.save(path(name), np.asarray(numbers, dtype=float))


def learn(command, name, *options, outputs=("output",), **how):
    where = [("--" + output, path(output)) for output in outputs]
    said = run(command, "--input", path(name), *options,
               *(word for pair in where for word in pair), **how)
    return said, *(np.load(file) for _, file in where)


def same_bits(command, name, *options, outputs):
    results = set()
    for how in ({"cores": "1"}, {"cores": "3"},
                {"workers": 3, "directory": directory}):
        learned = learn(command, name, *options, outputs=outputs, **how)
        results.add(b"".join(part.tobytes() for part in learned[1:]))
    learned = learn(command, name, *options, "--stream", "--window", 2,
                    outputs=outputs)
    results.add(b"".join(part.tobytes() for part in learned[1:]))
    tap.ok(len(results) == 1, f"{command}: the same bits for any workers")


def prepare():
    for name in ("iris", "digits", "wine", "diabetes"):
        data = getattr(datasets, "load_" + name)()
        save(name, data.data)
        save(name + "_y", data.target)
    digits = datasets.load_digits()
    order = np.random.default_rng(1).permutation(len(digits.data))
    for name, rows in (("half", order[:900]), ("rest", order[900:])):
        save(name, digits.data[rows])
        save(name + "_y", digits.target[rows])


def test_neighbours(name, queries, k, *blocks):
    x, q, y = (np.load(path(n)) for n in (name, queries, name + "_y"))
    right, _ = neighbors.NearestNeighbors(
        n_neighbors=k, algorithm="brute").fit(x).kneighbors(q)
    # Of its own: exact, and of equally near ones the first.
    exact = ((q[:, None, :] - x[None, :, :]) ** 2).sum(axis=2)
    first = np.argsort(exact, axis=1, kind="stable")[:, :k]
    _, rows, distances, said = learn(
        "neighbours", name, "--queries", path(queries), "--k", k, "--labels",
        path(name + "_y"), *blocks,
        outputs=("output", "distances-output", "predicted-output"))
    tap.ok(np.array_equal(rows, first), f"neighbours of {queries} in {name}")
    tap.close(distances, right, 1e-6, "their distances")
    votes = [np.bincount(y[row].astype(int)).argmax() for row in first]
    tap.ok(np.array_equal(said[:, 0], votes), "what most of them say")
    _, said = learn("neighbours", name, "--queries", path(queries), "--k", k,
                    "--labels", path(name + "_y"), "--average", *blocks,
                    outputs=("predicted-output",))
    tap.close(said[:, 0], y[first].mean(axis=1), 1e-14, "and their mean")


def test_mixture(name, k, kind, *blocks):
    """Both begin with each row in the component of the nearest of some rows."""
    x = np.load(path(name))
    start = x[:: len(x) // k][:k]
    save("start", start)
    nearest = ((x[:, None, :] - start) ** 2).sum(axis=2).argmin(axis=1)
    reference = mixture.GaussianMixture(
        k, covariance_type="full" if kind == "full" else "diag", tol=1e-9,
        max_iter=500)
    reference._initialize(x, np.eye(k)[nearest])
    reference = mixture.GaussianMixture(
        k, covariance_type=reference.covariance_type, tol=1e-9, max_iter=500,
        weights_init=reference.weights_, means_init=reference.means_,
        precisions_init=(
            np.array([c @ c.T for c in reference.precisions_cholesky_])
            if kind == "full" else reference.precisions_cholesky_ ** 2)).fit(x)
    said, means, weights, covariances, labels, chances = learn(
        "mixture", name, "--k", k, "--start", path("start"), "--tolerance",
        1e-9, "--iterations", 500, *(["--diagonal"] * (kind != "full")), *blocks,
        outputs=("output", "weights-output", "covariances-output",
                 "labels-output", "chances-output"))
    what = f"mixture of {name}, {kind}"
    tap.ok("not converged" not in said, what + " converges")
    tap.close(means, reference.means_, 1e-4, what)
    tap.close(weights[:, 0], reference.weights_, 1e-4, "weights")
    tap.close(covariances, reference.covariances_.reshape(k, -1), 1e-4,
              "covariances")
    tap.close(chances, reference.predict_proba(x), 1e-3, "chances")
    tap.ok(np.array_equal(labels[:, 0], reference.predict(x)), "labels")


def test_forest():
    x, y = np.load(path("half")), np.load(path("half_y"))
    test, right = np.load(path("rest")), np.load(path("rest_y"))
    others = [ensemble.RandomForestClassifier(60, random_state=s).fit(
        x, y).score(test, right) for s in range(3)]
    said, classes, chances = learn(
        "forest", "half", "--labels", path("half_y"), "--trees", 60, "--test",
        path("rest"), "--test-labels", path("rest_y"), "--block-rows", 250,
        outputs=("output", "chances-output"))
    share = (classes[:, 0] == right).mean()
    tap.ok(share > min(others) - 0.015,
           f"forest: {share:.4f} are right, of scikit-learn's {others}")
    tap.ok(f"{100 * share:.6g} % of" in said, "and it says so")
    tap.close(chances.sum(axis=1), np.ones(len(test)), 1e-6, "chances add up")
    # One tree that looks at every column has each split where impurity falls
    # most: on rows that it was grown from nearly all are right.
    said = run("forest", "--input", path("wine"), "--labels", path("wine_y"),
               "--trees", 1, "--features", 13, "--bins", 256, "--test-labels",
               path("wine_y"))
    share = float(said.split("forest: ")[2].split(" %")[0])
    tap.ok(share > 88, f"one tree knows {share} % of wine")
    for limit in (("--depth", 1), ("--leaf", 400)):
        said = run("forest", "--input", path("half"), "--labels",
                   path("half_y"), "--trees", 5, *limit)
        tap.ok(", 15 nodes" in said, f"{limit}: {said.strip()}")


def test_regression(name, features):
    """As much of the variance of unseen rows as scikit-learn's explain."""
    x, y = np.load(path(name)), np.load(path(name + "_y"))
    order = np.random.default_rng(1).permutation(len(x))
    seen, unseen = order[: len(x) // 2], order[len(x) // 2:]
    save("seen", x[seen])
    save("seen_y", y[seen])
    save("unseen", x[unseen])
    save("unseen_y", y[unseen])
    others = [ensemble.RandomForestRegressor(
        60, max_features=features, random_state=s).fit(x[seen], y[seen]).score(
            x[unseen], y[unseen]) for s in range(3)]
    said, numbers = learn(
        "forest", "seen", "--regression", "--labels", path("seen_y"), "--trees",
        60, "--features", features, "--bins", 256, "--test", path("unseen"),
        "--test-labels", path("unseen_y"), "--block-rows", 100)
    share = metrics.r2_score(y[unseen], numbers[:, 0])
    tap.ok(share > min(others) - 0.02,
           f"regression of {name}: {share:.4f} of the variance, of "
           f"scikit-learn's {others}")
    told = float(said.split("forest: ")[2].split(" %")[0])
    tap.close(told, 100 * share, 1e-5, "and it says so")


def test_split():
    """A node is split where the variance falls most."""
    x, y = np.load(path("iris"))[:, [0, 1, 3]], np.load(path("iris"))[:, 2]
    save("petals", x)
    save("petals_y", y)
    right = ensemble.RandomForestRegressor(
        300, max_depth=1, random_state=0).fit(x, y).predict(x)
    said, got = learn("forest", "petals", "--regression", "--labels",
                      path("petals_y"), "--trees", 300, "--depth", 1,
                      "--features", 3, "--bins", 256)
    # But for the rows next to it: bins are of all rows, not of those drawn.
    away = (x[:, 2] < 0.45) | (x[:, 2] > 0.95)
    tap.close(got[away, 0], right[away], 0.01, "one split of iris")
    tap.ok(", 900 nodes" in said, "in each tree")
    # Far from 0, where squares have no digits left for how labels differ.
    for far in (0, 1e9):
        save("step_y", far + np.where(x[:, 2] > 1.35, 9.0, 5.0))
        _, got, same = learn(
            "forest", "petals", "--regression", "--labels", path("step_y"),
            "--trees", 7, "--features", 3, "--bins", 256,
            outputs=("output", "chances-output"))
        off = np.abs(got - np.load(path("step_y"))[:, None]).max()
        tap.ok(off < 1e-5, f"a step at {far:g} is found: off by {off:.1e}")
        tap.ok(np.array_equal(got, same), "both outputs are the number")
    save("flat_y", np.full(len(x), 7.25))
    said, got = learn("forest", "petals", "--regression", "--labels",
                      path("flat_y"), "--trees", 5)
    tap.ok(", 5 nodes" in said and np.all(np.abs(got - 7.25) < 1e-12),
           "one number is no reason to split")
    said, _ = learn("forest", "petals", "--regression", "--labels",
                    path("petals_y"), "--trees", 5, "--leaf", 80)
    tap.ok(", 5 nodes" in said, "no leaf is too small")


def test_refusals():
    def refused(text, *arguments):
        said = run(*arguments, status=2)
        tap.ok(text in said and said.count("\n") == 1,
               f"refused: {said.strip()}", f"not '{text}'")

    iris = path("iris")
    refused("no 151 neighbours among 150", "neighbours", "--input", iris, "--k",
            151)
    refused("queries of 13 columns", "neighbours", "--input", iris, "--queries",
            path("wine"))
    refused("no 151 components of 150", "mixture", "--input", iris, "--k", 151)
    refused("looks at 1 to 4 columns", "forest", "--input", iris, "--labels",
            path("iris_y"), "--features", 5)
    for numbers in ([], ["--regression"]):
        refused("150 rows, and", "forest", "--input", path("wine"), "--labels",
                path("iris_y"), *numbers)
    refused("targets are one column", "forest", "--regression", "--input", iris,
            "--labels", iris)
    save("huge_y", np.resize([1, 1, -1e31], 150))
    refused("no number from -1e+30", "forest", "--regression", "--input", iris,
            "--labels", path("huge_y"))


with scratch() as directory:
    prepare()
    test_neighbours("half", "rest", 7, "--block-rows", 130, "--block-cols", 30)
    test_neighbours("iris", "iris", 3)
    for form in ("full", "diagonal"):
        test_mixture("iris", 3, form, "--block-rows", 33)
    test_mixture("wine", 3, "diagonal", "--block-rows", 50, "--block-cols", 5)
    test_forest()
    test_regression("diabetes", 4)
    test_regression("digits", 22)
    test_split()
    same_bits("neighbours", "half", "--k", 4, "--block-rows", 200,
              outputs=("output", "distances-output"))
    same_bits("mixture", "digits", "--k", 4, "--block-rows", 250, "--iterations",
              4, "--floor", 0.1, outputs=("output", "covariances-output"))
    same_bits("forest", "half", "--labels", path("half_y"), "--trees", 9,
              "--block-rows", 200, outputs=("chances-output",))
    same_bits("forest", "diabetes", "--labels", path("diabetes_y"), "--trees",
              9, "--block-rows", 60, "--regression", outputs=("output",))
    test_refusals()
tap.done()
