# Tests that are scripts: the rules of the house.
add_test(NAME floors COMMAND ${CMAKE_SOURCE_DIR}/scripts/check-floors)
add_test(NAME style COMMAND ${CMAKE_SOURCE_DIR}/scripts/check-style)
add_test(NAME floors-notice COMMAND ${CMAKE_SOURCE_DIR}/tests/scripts/floors-notice)
