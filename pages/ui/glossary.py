"""What the words on the screens mean, for ``help=``; pure.

Neighbour: ``wording`` says how figures read. It refuses to explain what is not shown anywhere.
"""

from __future__ import annotations

GLOSSARY: dict[str, str] = {
    "auc": "The chance that a positive row gets a higher score than a negative one. 0.5 is a coin, 1 is perfect.",
    "auc_macro": "AUC of each class against the rest, averaged over the classes.",
    "average_precision": "Area under the precision-recall curve; compare it with the share of positives.",
    "brier": "Mean squared distance between the predicted probability and the outcome (0 or 1). Smaller is better.",
    "log_loss": "Penalty for confident wrong probabilities. Smaller is better.",
    "accuracy": "Share of rows predicted right.",
    "f1": "Harmonic mean of precision and recall of the positive class.",
    "f1_macro": "F1 of each class, averaged.",
    "positive_share": "Share of rows predicted as positive. More is neither better nor worse.",
    "rmse": "Root of the mean squared error, in the target's unit. Smaller is better.",
    "mae": "Mean absolute error, in the target's unit. Smaller is better.",
    "r2": "Share of the target's variance that the model explains. 1 is perfect, 0 is as good as the mean.",
    "bias": "Mean of prediction minus truth, in the target's unit. Below 0 the model predicts too little.",
    "effect": "How far the distribution moved: the KS distance for numbers (0 to 1), the Jensen-Shannon distance for categories (nat, 0 to 0.83).",
    "ks": "Kolmogorov-Smirnov: the largest gap between the two cumulative shares.",
    "chi2": "Chi-squared test of the level counts; its effect is the Jensen-Shannon distance.",
    "p_value": "How often so large a difference would appear by chance if nothing had changed.",
    "p_adjusted": "The p-value after Benjamini-Hochberg: it allows for having tested every feature of the window.",
    "floor": "An effect below this is not called drift, however small the p-value is: with many rows everything is significant.",
    "smallest_detectable": "The effect that so few rows would have called drifted half the time. Smaller changes can hide here.",
    "shap_share": "The feature's share of the champion's mean absolute SHAP value: how much of its answers the feature moves.",
    "contribution": "SHAP share times the larger of effect and null-share change: what the change can mean for the answers.",
    "weighted_drift": "Effects of all features, each weighted by its SHAP share. A shift of what the model leans on counts more.",
    "nulls": "Share of rows without a value. Nulls count as a level of their own and are tested apart.",
    "prediction_drift": "How far the champion's scores moved from those on its held-out rows (KS distance). Needs no ground truth.",
    "performance": "The metric on rows whose ground truth has arrived, against the validation figure. Arrives as late as the labels.",
    "page": "A feature that the model leans on drifted and it lasted, or a column left its rows, or many features moved together, or the model got worse: somebody should look now.",
    "watch": "A feature drifted that hardly matters to the model, or one that matters in too few windows so far, or the scores moved, or only the rows show a change: noted, nobody is called.",
    "unclear": "Too few rows to say either: neither drifted nor stable.",
    "baseline": "What windows are compared with: everything that the champion was made from, the same season of it, a period that a person chose, or the window before.",
    "bias_audit": "Each group of a protected column against all other rows, on rows that neither model was fitted on. A violation is proven when the 95 % interval lies beyond the policy's limit, also after allowing for many groups; cleared when it lies within.",
    "bias_selection": "Share of the group's rows that the model predicts as positive.",
    "bias_tpr": "True positive rate: share of the group's positive rows that are predicted as positive.",
    "bias_fpr": "False positive rate: share of the group's negative rows that are predicted as positive.",
    "bias_ppv": "Positive predictive value: share of the group's predicted positives that are positive.",
    "bias_calibration": "Mean score minus the share of positives. Above 0 the model promises too much for this group.",
    "bias_dp_difference": "The largest selection rate of any group minus the smallest one (fairlearn). Grows by chance with many small groups.",
    "bias_dp_ratio": "The smallest selection rate of any group over the largest one (fairlearn). Falls by chance with many small groups.",
    "bias_equal_opportunity": "The largest true positive rate of any group minus the smallest one (fairlearn).",
    "bias_equalized_odds": "The larger of the widest gap in true positive rates and the widest gap in false positive rates (fairlearn).",
}
"""Term -> one or two sentences for ``help=``."""


def explained(term: str | None) -> str | None:
    """Give what a term means; a text that is no term stays as it is."""
    return GLOSSARY.get(term or "", term)
