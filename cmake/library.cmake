# libmemrig: floors 0 to 8 and the trace reader as one library, with what a program outside needs:
# headers, memrig.pc, a CMake package (memrig::memrig). Only MM_PUBLIC functions are exported.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(library_objects)
foreach(floor mr_base mr_arch mr_hw mr_phys mr_kmem mr_backing mr_vm mr_reclaim mr_machine mr_traces)
	get_target_property(type ${floor} TYPE)
	if(type STREQUAL STATIC_LIBRARY)
		list(APPEND library_objects $<TARGET_OBJECTS:${floor}>)
	endif()
endforeach()
foreach(kind SHARED STATIC)
	string(TOLOWER libmemrig_${kind} target)
	add_library(${target} ${kind} ${library_objects})
	set_target_properties(${target} PROPERTIES OUTPUT_NAME memrig VERSION ${PROJECT_VERSION}
		SOVERSION ${PROJECT_VERSION_MAJOR} LINKER_LANGUAGE C)
	target_include_directories(${target} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/memrig>)
endforeach()
set_target_properties(libmemrig_shared PROPERTIES EXPORT_NAME memrig)
set_target_properties(libmemrig_static PROPERTIES EXPORT_NAME memrig_static)
target_link_libraries(libmemrig_shared PRIVATE PkgConfig::ZSTD PkgConfig::XXHASH Threads::Threads)
if(MEMRIG_SANITIZE)
	target_link_options(libmemrig_shared PRIVATE -fsanitize=${MEMRIG_SANITIZE})
endif()
if(MEMRIG_COVERAGE)
	target_link_options(libmemrig_shared PRIVATE --coverage)
endif()
# Whoever links the archive links these, too; names instead of targets, so that nothing must be found first.
target_link_libraries(libmemrig_static INTERFACE zstd xxhash Threads::Threads)

file(GLOB public_headers ${CMAKE_SOURCE_DIR}/core/*.h ${CMAKE_SOURCE_DIR}/core/*.def)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/memrig)
install(FILES ${public_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/memrig/core)
install(FILES ${CMAKE_SOURCE_DIR}/core/base/types.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/memrig/core/base)
install(FILES ${CMAKE_SOURCE_DIR}/traces/reader.h ${CMAKE_SOURCE_DIR}/traces/info.h
	DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/memrig/traces)
install(TARGETS libmemrig_shared libmemrig_static EXPORT memrig-targets
	LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT memrig-targets NAMESPACE memrig:: DESTINATION ${package_dir})
# From where the .pc lies to the prefix, so that an installed tree may be moved.
file(RELATIVE_PATH pc_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
set(pc_prefix "\${pcfiledir}/${pc_up}")
configure_file(${CMAKE_SOURCE_DIR}/cmake/memrig.pc.in ${CMAKE_BINARY_DIR}/generated/memrig.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/generated/memrig.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/memrig-config.cmake.in
	${CMAKE_BINARY_DIR}/generated/memrig-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/memrig-config-version.cmake
	COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/generated/memrig-config.cmake
	${CMAKE_BINARY_DIR}/generated/memrig-config-version.cmake DESTINATION ${package_dir})
