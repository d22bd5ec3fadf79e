//! Leaves the tables for unwinding out of the release binary: a panic aborts there, nobody could read a backtrace without
//! symbols, and in an initramfs a third of a megabyte counts.

fn main() {
    println!("cargo:rerun-if-changed=src/no-unwinding.ld");
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{}/src/no-unwinding.ld", env!("CARGO_MANIFEST_DIR"));
    }
}
