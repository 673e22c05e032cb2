# Tests that are scripts: the rules of the house.
add_test(NAME floors COMMAND ${CMAKE_SOURCE_DIR}/scripts/check-floors)
add_test(NAME style COMMAND ${CMAKE_SOURCE_DIR}/scripts/check-style)
add_test(NAME floors-notice COMMAND ${CMAKE_SOURCE_DIR}/tests/scripts/floors-notice)
if(NOT MEMRIG_SANITIZE AND NOT MEMRIG_COVERAGE) # a plain program cannot link a library that is not
	add_test(NAME installed COMMAND ${CMAKE_SOURCE_DIR}/tests/scripts/installed ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
	set_tests_properties(installed PROPERTIES TIMEOUT 300)
endif()
add_test(NAME man-and-completion COMMAND ${CMAKE_SOURCE_DIR}/tests/scripts/man-and-completion $<TARGET_FILE:memrig>)
add_test(NAME compilers-agree COMMAND ${CMAKE_SOURCE_DIR}/tests/scripts/compilers-agree ${CMAKE_SOURCE_DIR})
set_tests_properties(compilers-agree PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77)
add_test(NAME api-documented COMMAND ${CMAKE_SOURCE_DIR}/tests/scripts/api-documented ${CMAKE_SOURCE_DIR})
add_test(NAME ops-documented COMMAND ${CMAKE_SOURCE_DIR}/tests/scripts/ops-documented ${CMAKE_SOURCE_DIR})
