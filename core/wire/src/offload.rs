//! Segmentation and coalescing of packets larger than a link.
