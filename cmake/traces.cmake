# Floor 9, traces: formats, importers, tools. The recorders (traces/record) add their target below.
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
memrig_floor(mr_traces DIRS traces traces/import
	DEPS mr_arch mr_base PkgConfig::ZSTD PkgConfig::XXHASH Threads::Threads)
