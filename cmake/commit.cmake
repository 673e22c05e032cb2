# Writes OUT with the commit of SOURCE when it changed.
cmake_policy(VERSION 3.25)
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD OUTPUT_VARIABLE commit ERROR_QUIET
	OUTPUT_STRIP_TRAILING_WHITESPACE)
execute_process(COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no OUTPUT_VARIABLE changes ERROR_QUIET)
if(NOT commit)
	set(commit "unknown")
elseif(changes)
	string(APPEND commit "+changes")
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define MEMRIG_COMMIT \"@commit@\"\n" @ONLY)
