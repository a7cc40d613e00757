//! uTP in a simulated network: a virtual clock and fixed seeds, so that every run is the same.

mod fairness;
mod hostile;
mod net;
mod reno;
mod transfers;
