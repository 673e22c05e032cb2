# Tests that need more than one C file.
# The independent MMU: an emulated ARM CPU judges our walker; skipped (77) where QEMU is missing.
add_executable(gen_cases ${CMAKE_SOURCE_DIR}/tests/qemu/gen_cases.c)
target_link_libraries(gen_cases PRIVATE mr_traces mr_arch)
add_test(NAME qemu/mmu COMMAND ${CMAKE_SOURCE_DIR}/tests/qemu/run-mmu $<TARGET_FILE:gen_cases>
	${CMAKE_BINARY_DIR}/mmu-cases)
set_tests_properties(qemu/mmu PROPERTIES LABELS qemu TIMEOUT 600 SKIP_RETURN_CODE 77)

# The running kernel as judge of the memory calls: plain, whatever the preset, since it counts its faults.
add_executable(kernel-judge ${CMAKE_SOURCE_DIR}/tests/replay/kernel_judge.c)
target_include_directories(kernel-judge PRIVATE ${CMAKE_SOURCE_DIR})
target_compile_definitions(kernel-judge PRIVATE _GNU_SOURCE)
target_compile_options(kernel-judge PRIVATE -O1 -fno-builtin -Wall -Wextra)
add_dependencies(test_kernel_judge kernel-judge)
