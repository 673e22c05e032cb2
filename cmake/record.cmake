# The recorder: eBPF programs (clang) wrapped by bpftool, the part of user space, the preload library.
find_program(MEMRIG_CLANG NAMES clang clang-14 clang-15 clang-16 clang-17 clang-18 clang-19 REQUIRED)
find_program(MEMRIG_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)
pkg_check_modules(LIBBPF REQUIRED IMPORTED_TARGET libbpf)
include(GNUInstallDirs)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
	set(bpf_arch arm64)
else()
	set(bpf_arch x86)
endif()
set(bpf_source ${CMAKE_SOURCE_DIR}/traces/record/recorder.bpf.c)
set(bpf_object ${CMAKE_BINARY_DIR}/generated/recorder.bpf.o)
set(bpf_skel ${CMAKE_BINARY_DIR}/generated/recorder.skel.h)
add_custom_command(OUTPUT ${bpf_skel}
	COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated
	COMMAND ${MEMRIG_CLANG} -O2 -g -Wall -Werror -target bpf -D__TARGET_ARCH_${bpf_arch}
		-fdebug-prefix-map=${CMAKE_SOURCE_DIR}/= -fdebug-compilation-dir=.
		-c ${bpf_source} -o ${bpf_object}
	COMMAND ${MEMRIG_BPFTOOL} gen skeleton ${bpf_object} name recorder_bpf > ${bpf_skel}
	DEPENDS ${bpf_source} ${CMAKE_SOURCE_DIR}/traces/record/event.h
	COMMENT "eBPF programs of the recorder" VERBATIM)
add_custom_target(memrig_skeleton DEPENDS ${bpf_skel})

memrig_floor(mr_record DIRS traces/record DEPS mr_traces PkgConfig::LIBBPF)
add_dependencies(mr_record memrig_skeleton memrig_preload_library)
set_source_files_properties(${CMAKE_SOURCE_DIR}/traces/record/probe.c PROPERTIES OBJECT_DEPENDS ${bpf_skel})
target_include_directories(mr_record SYSTEM PRIVATE ${CMAKE_BINARY_DIR}/generated)
target_compile_definitions(mr_record PRIVATE MEMRIG_LIBDIR="${CMAKE_INSTALL_LIBDIR}")

# Not built with the sanitizers: it goes into other people's programs.
add_library(memrig_preload_library SHARED ${CMAKE_SOURCE_DIR}/traces/record/preload.c)
set_target_properties(memrig_preload_library PROPERTIES OUTPUT_NAME memrig-preload
	LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
target_include_directories(memrig_preload_library PRIVATE ${CMAKE_SOURCE_DIR})
target_compile_definitions(memrig_preload_library PRIVATE _GNU_SOURCE)
target_compile_options(memrig_preload_library PRIVATE -O2 -fno-strict-aliasing -Wall -Wextra -Wconversion
	-Wno-sign-conversion -Wmissing-prototypes -Wvla -fno-builtin
	-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/= $<$<BOOL:${MEMRIG_WERROR}>:-Werror>)
target_link_libraries(memrig_preload_library PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
install(TARGETS memrig_preload_library LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})

# The program that the recorder's tests record: plain, whatever the preset.
add_executable(record-target ${CMAKE_SOURCE_DIR}/tests/replay/record_target.c)
target_include_directories(record-target PRIVATE ${CMAKE_SOURCE_DIR})
target_compile_definitions(record-target PRIVATE _GNU_SOURCE)
target_compile_options(record-target PRIVATE -O1 -fno-builtin -Wall -Wextra)
target_link_libraries(record-target PRIVATE Threads::Threads)
