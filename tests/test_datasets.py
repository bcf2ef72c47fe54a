"""The published data: whole, sourced, and the same as the catalog's record of them."""

import numpy as np
import pytest

import rqe
from rqe import datasets


@pytest.mark.parametrize("name", datasets.names())
def test_every_data_set_is_whole(name):
    data = datasets.load(name)
    assert data.source
    assert data.about
    assert len(data.games) == len(data.frequencies) == len(data.game_names)
    for game, label, rows in zip(data.games, data.game_names, data.frequencies, strict=True):
        assert game == rqe.catalog.load(label)
        assert [len(row) for row in rows] == list(game.shape)
        for row in rows:
            assert row.sum() == pytest.approx(1.0, abs=1e-12)
            assert not row.flags.writeable
        observed = rqe.catalog.known(label).observed
        if observed is not None:
            np.testing.assert_allclose(np.array(rows), observed, atol=1e-12)


def test_sizes_of_selten_and_chmura_follow_from_their_design():
    data = datasets.load("selten-chmura")
    assert data.n == ((12 * 4 * 200,) * 2,) * 6 + ((6 * 4 * 200,) * 2,) * 6
    assert data.counts[0][0].tolist() == pytest.approx([758.4, 8841.6])


def test_unknown_sizes_are_not_made_up():
    data = datasets.load("goeree-holt-palfrey")
    assert data.n is None
    with pytest.raises(ValueError, match="is not known"):
        _ = data.counts


def test_names_that_do_not_exist():
    with pytest.raises(datasets.UnknownDatasetError, match="nearest is 'selten-chmura'"):
        datasets.load("Selten_Chmura")
    with pytest.raises(ValueError, match="there are goeree"):
        datasets.load("xyz")
    with pytest.raises(TypeError, match="must be a string"):
        datasets.load(3)  # type: ignore[arg-type]
