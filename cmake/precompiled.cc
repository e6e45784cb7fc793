// Compiled for nothing but its precompiled header (cairn_precompile in toolchain.cmake).
