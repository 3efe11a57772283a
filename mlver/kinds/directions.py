"""Which way a metric is good, by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

Direction = Literal["higher", "lower"]

_DECLARED: Final[Mapping[str, Direction]] = {
    "higher": "higher", "up": "higher", "max": "higher", "maximize": "higher", "maximise": "higher",
    "lower": "lower", "down": "lower", "min": "lower", "minimize": "lower", "minimise": "lower",
}  # fmt: skip


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words, or runs of up to three joined by `_`. What says "bad" beats what says "good": `accuracy_drop` is bad.
_LOWER: Final = _set("""
    loss logloss error errors err rmse mse mae mape smape rmsle rmsd medae deviance perplexity ppl brier ece mce
    hamming latency duration seconds runtime elapsed missed misses miss unneeded unnecessary false fp fn fpr fnr
    fdr wer cer eer cost drop gap regret drift psi ks kl divergence disparity violations failures failed fail
    incidents downtime crashes timeouts nulls missing overfit davies_bouldin bad wrong inertia aic bic fid nll
    crossentropy cross_entropy mislabeled mislabelled memory
""")
_HIGHER: Final = _set("""
    accuracy acc auc auroc roc_auc pr_auc auprc prauc average_precision ap map f1 f2 fbeta f_beta f_score fscore
    f_measure recall precision sensitivity specificity tpr tnr ppv npv tp tn true_positive true_positives
    true_negative true_negatives hit_rate r2 r_squared rsquared explained_variance ndcg dcg mrr bleu rouge meteor
    chrf exact_match iou miou dice jaccard kappa mcc matthews silhouette calinski_harabasz ari nmi ami pearson
    spearman kendall concordance c_index lift uplift gain throughput coverage uptime availability conversion ctr
    revenue profit retention psnr ssim reward win_rate pass_rate passed correct agreement youden likelihood
""")
_SPLITS: Final = _set("train training test val valid validation cv dev holdout mean best score")
_WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")
_LONGEST = 3


def direction(name: str, declared: Mapping[str, str] | None = None) -> Direction | None:
    """Return which way the metric `name` is better, None when its name does not tell.

    `declared` (from mlver.toml) is asked first: the whole name, then its parts between dots; values are
    `higher`/`lower` (or up/down, max/min), and anything else declares that there is no better way.
    Names are matched word by word, the last dotted part first: `val/roc_auc`, `testLoss`,
    `C.false_negatives`, `neg_log_loss` (higher, as scikit-learn's scorers are).
    """
    parts = name.split(".")[::-1]
    for key in (name, *parts) if declared else ():
        if declared and key in declared:
            return _DECLARED.get(str(declared[key]).lower())
    return next((found for part in parts if (found := _by_words(part))), None)


def _by_words(part: str) -> Direction | None:
    words = [word.lower() for word in _WORD.findall(part)]
    runs = {"_".join(words[i : i + length]) for length in range(1, _LONGEST + 1) for i in range(len(words))}
    if runs & _LOWER:
        return "higher" if "neg" in words else "lower"
    return "higher" if runs & _HIGHER or ("score" in words and _SPLITS.issuperset(words)) else None
