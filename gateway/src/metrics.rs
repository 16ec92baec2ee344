#[derive(Clone, Default)]
pub struct Metrics;
#[allow(unused_variables)]
impl Metrics {
    pub fn gap_filled(&self, source: &'static str, entries: usize) {}
    pub fn fork(&self) {}
    pub fn bus_gap(&self) {}
    pub fn batch_committed(&self, messages: usize, took: std::time::Duration) {}
    pub fn message_rejected(&self, reason: &'static str) {}
    pub fn delivered(&self, remote: bool, took: std::time::Duration) {}
    pub fn connection_opened(&self) {}
    pub fn connection_closed(&self, cause: crate::hub::Cause) {}
    pub fn frame_in(&self, kind: &'static str, bytes: usize) {}
    pub fn frame_out(&self, bytes: usize) {}
    pub fn resumed(&self, result: &'static str) {}
    pub fn rate_limited(&self, limit: &'static str) {}
    pub fn unread_mismatch(&self) {}
}
