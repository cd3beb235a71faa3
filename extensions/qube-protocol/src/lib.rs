//! Directives of a validator fleet, the quorum behind them and the reports on them: parsing and pure decisions.
