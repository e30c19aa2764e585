"""Conjugate laws of parameters."""

from mixtura.priors.dirichlet import dirichlet_divergence, dirichlet_from_mean_log, inverse_digamma

__all__ = ["dirichlet_divergence", "dirichlet_from_mean_log", "inverse_digamma"]
