# Tests that need more than one C file.
# The independent MMU: an emulated ARM CPU judges our walker; skipped (77) where QEMU is missing.
add_executable(gen_cases ${CMAKE_SOURCE_DIR}/tests/qemu/gen_cases.c)
target_link_libraries(gen_cases PRIVATE mr_traces mr_arch)
add_test(NAME qemu/mmu COMMAND ${CMAKE_SOURCE_DIR}/tests/qemu/run-mmu $<TARGET_FILE:gen_cases>
	${CMAKE_BINARY_DIR}/mmu-cases)
set_tests_properties(qemu/mmu PROPERTIES LABELS qemu TIMEOUT 600 SKIP_RETURN_CODE 77)
add_test(NAME qemu/replays COMMAND ${CMAKE_SOURCE_DIR}/tests/qemu/run-replays $<TARGET_FILE:memrig>
	${CMAKE_BINARY_DIR}/mmu-replays 6000 ${CMAKE_SOURCE_DIR}/traces/samples/gcc.mrt
	${CMAKE_SOURCE_DIR}/traces/samples/sqlite.mrt ${CMAKE_SOURCE_DIR}/traces/samples/redis.mrt)
set_tests_properties(qemu/replays PROPERTIES LABELS qemu TIMEOUT 900 SKIP_RETURN_CODE 77)
# What other tests do to the host's memory would disturb the kernel's side.
set_tests_properties(replay/test_cache_judge PROPERTIES RUN_SERIAL TRUE)
# Counts the host allocations of everything it is linked with.
foreach(name malloc calloc realloc aligned_alloc strdup free mmap munmap alloc_pages)
	target_link_options(test_host_leaks PRIVATE -Wl,--wrap=${name})
endforeach()
# Under AddressSanitizer a test that loses host memory fails; that this is looked at, a leaky program shows.
if(MEMRIG_SANITIZE MATCHES address)
	add_executable(leaky ${CMAKE_SOURCE_DIR}/tests/sanitize/leaky.c)
	target_link_libraries(leaky PRIVATE memrig_flags)
	add_test(NAME leaks-are-found COMMAND leaky)
	set_tests_properties(leaks-are-found PROPERTIES WILL_FAIL TRUE ENVIRONMENT ASAN_OPTIONS=detect_leaks=1)
endif()
