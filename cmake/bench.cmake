# memrig: one binary of all verbs and benches. Sources may arrive one by one: verbs.def and suites.def
# name only what exists.
find_package(benchmark REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

# The commit is written at every build, and only files that print it are compiled again.
set(commit_h ${CMAKE_BINARY_DIR}/generated/commit.h)
add_custom_target(memrig_commit BYPRODUCTS ${commit_h}
	COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DOUT=${commit_h}
		-P ${CMAKE_SOURCE_DIR}/cmake/commit.cmake)

# The report's style sheet, as a string.
set(report_css_h ${CMAKE_BINARY_DIR}/generated/bench/report_css.h)
add_custom_command(OUTPUT ${report_css_h} DEPENDS ${CMAKE_SOURCE_DIR}/bench/report.css ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
	COMMAND ${CMAKE_COMMAND} -DIN=${CMAKE_SOURCE_DIR}/bench/report.css -DOUT=${report_css_h}
		-P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake)

# All but main() is a library, so that tests can link it.
file(GLOB bench_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/*.c)
list(REMOVE_ITEM bench_sources ${CMAKE_SOURCE_DIR}/bench/main.c ${CMAKE_SOURCE_DIR}/bench/kernel_judge.c)
add_library(mr_bench STATIC ${bench_sources} ${report_css_h} ${CMAKE_SOURCE_DIR}/bench/gbench.cc)
add_executable(memrig ${CMAKE_SOURCE_DIR}/bench/main.c)
add_dependencies(mr_bench memrig_commit)
foreach(file manifest.c result.c)
	if(EXISTS ${CMAKE_SOURCE_DIR}/bench/${file})
		set_source_files_properties(${CMAKE_SOURCE_DIR}/bench/${file} PROPERTIES
			OBJECT_DEPENDS ${commit_h} COMPILE_OPTIONS "-include;${commit_h}")
	endif()
endforeach()
string(TOLOWER "${CMAKE_BUILD_TYPE}" build_type)
target_include_directories(mr_bench PRIVATE ${CMAKE_BINARY_DIR}/generated)
target_compile_definitions(mr_bench PRIVATE MEMRIG_BUILD_TYPE="${build_type}")
target_link_libraries(mr_bench PUBLIC memrig_flags mr_workloads mr_machine PkgConfig::JANSSON PkgConfig::ZSTD
	PkgConfig::XXHASH benchmark::benchmark Threads::Threads m)
foreach(library mr_traces mr_record mr_heap)
	if(TARGET ${library})
		target_link_libraries(mr_bench PUBLIC ${library})
	endif()
endforeach()
target_link_libraries(memrig PRIVATE mr_bench)
set_target_properties(memrig PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

# What memrig verify runs on the kernel below: plain, whatever the preset, since it counts its own faults.
add_executable(kernel-judge ${CMAKE_SOURCE_DIR}/bench/kernel_judge.c)
target_include_directories(kernel-judge PRIVATE ${CMAKE_SOURCE_DIR})
target_compile_definitions(kernel-judge PRIVATE _GNU_SOURCE)
target_compile_options(kernel-judge PRIVATE -O1 -fno-builtin -Wall -Wextra)
set_target_properties(kernel-judge PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
add_dependencies(memrig kernel-judge)

include(GNUInstallDirs)
install(TARGETS memrig RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS kernel-judge RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/memrig)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/workloads/studies DESTINATION ${CMAKE_INSTALL_DATADIR}/memrig)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/plots DESTINATION ${CMAKE_INSTALL_DATADIR}/memrig)
# memrig(1), made by the program itself.
set(man_page ${CMAKE_BINARY_DIR}/memrig.1)
add_custom_command(OUTPUT ${man_page} DEPENDS memrig COMMAND memrig __man > ${man_page} VERBATIM)
add_custom_target(memrig_man ALL DEPENDS ${man_page})
install(FILES ${man_page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${CMAKE_SOURCE_DIR}/cmake/memrig.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
	RENAME memrig)
