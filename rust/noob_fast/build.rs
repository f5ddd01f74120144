//! Tells the bridge which Python it is built for (`cfg(Py_GIL_DISABLED)` among others).

fn main() {
    #[cfg(feature = "python")]
    pyo3_build_config::use_pyo3_cfgs();
}
