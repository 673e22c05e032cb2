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
