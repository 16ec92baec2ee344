//! The socket as its clients meet it: frames, live events, catching up.

mod delivery;
mod frames;
mod live;
mod overload;
mod resume;
