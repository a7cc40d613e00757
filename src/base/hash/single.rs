//! Kernels for every machine: the crates, one message at a time.

use super::lanes::Kernel;

/// One message at a time by the `sha1` crate, which knows the SHA instructions of x86 and ARM.
pub const SHA1_SINGLE: Kernel<5> = Kernel {
    name: "sha1 crate",
    lanes: 1,
    compress: |states, inputs| {
        states.iter_mut().zip(inputs).for_each(|(state, blocks)| sha1::block_api::compress(state, blocks));
    },
};

/// One message at a time by the `sha2` crate, which knows the SHA instructions of x86 and ARM.
pub const SHA256_SINGLE: Kernel<8> = Kernel {
    name: "sha2 crate",
    lanes: 1,
    compress: |states, inputs| {
        states.iter_mut().zip(inputs).for_each(|(state, blocks)| sha2::block_api::compress256(state, blocks));
    },
};
