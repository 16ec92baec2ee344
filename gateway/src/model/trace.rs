//! Where a trace stands, as it travels between replicas.

/// The parts of a W3C trace context that the next span needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    /// Whether anyone records it.
    pub sampled: bool,
}
